"""Small Vision Transformers with published names, and what timm computes with them, for test/models/published-vit.test.ts.

    python3 test/reference/published-vit.py    # PyTorch, timm, torchvision, safetensors; written with 2.9.0, 1.0.31, 0.24.0

timm's networks with few channels and random weights that half precision holds, computed in float64; torchvision's too, for its
names. Files with OpenAI's and DINOv2's names are timm's arrays renamed. vit-names.json has names and shapes of
timm's and torchvision's networks in full size (a block once: the others are like it), and Hugging Face's.
"""

import functools
import json
import pathlib
import re

import timm
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer, get_act_layer

from models import describe
from noise import noise

torch.manual_seed(12)
folder = pathlib.Path(__file__).parent.parent / "models" / "published"
CLASSES, BATCH, WIDTH, DEPTH = 5, 2, 24, 2


def half(tensor):
    return tensor.half().to(tensor.dtype)


def randomize(net):
    with torch.no_grad():
        for name, p in net.named_parameters():
            if re.search(r"(norm\w*|ln\w*)(_\d)?\.weight$|gamma$", name) or (p.dim() == 1 and name.endswith("weight")):
                p.uniform_(0.75, 1.25)
            elif p.dim() == 1:
                p.uniform_(-0.1, 0.1)
            elif name.endswith(("token", "pos_embed", "pos_embedding")):
                p.uniform_(-1, 1).mul_(256).round_().div_(256)  # sums of two are exact in half precision
            else:
                p.uniform_(-1, 1).mul_((3 / p[0].numel()) ** 0.5)
            p.copy_(half(p))


def of_ours(name, tensor):
    """Gradients of timm's array by our names, in our layout."""
    modules = {"patch_embed.proj": "embed/patch", "norm_pre": "embed/norm", "norm": "norm", "head": "classifier"}
    inside = {"norm1": "norm1", "attn.proj": "attention/project", "norm2": "norm2", "mlp.fc1": "mlp/expand", "mlp.fc2": "mlp/project"}
    tokens = {"cls_token": "embed/class", "reg_token": "embed/registers"}
    if name in tokens:
        return {tokens[name]: tensor}
    *path, end = name.split(".")
    block = f"block{int(path[1]) + 1}/" if path[0] == "blocks" else ""
    rest = ".".join(path[2:] if block else path)
    if end == "gamma":
        return {f"{block}scale{rest[-1]}": tensor}
    is_norm = "norm" in rest
    part = {"weight": "scale" if is_norm else "kernel", "bias": "shift" if is_norm else "bias"}[end]
    if rest == "attn.qkv":
        thirds = tensor.chunk(3)
        return {f"{block}attention/{key}/{part}": third.T if third.dim() == 2 else third for key, third in zip(["query", "key", "value"], thirds)}
    ours = f"{block}{inside[rest]}" if block else modules[rest]
    return {f"{ours}/{part}": tensor.permute(2, 3, 1, 0) if tensor.dim() == 4 else tensor.T if tensor.dim() == 2 else tensor}


def case(options, file, arrays, net, side, grid=None):
    """A file, and what timm's network computes with what is in it; `grid`: side of the grid of positions in the file."""
    net = net.double()
    if arrays is None:
        arrays = lambda state: state
    randomize(net)
    state = net.state_dict()
    has_class = state["pos_embed"].shape[1] - (side // net.patch_embed.patch_size[0]) ** 2
    if grid:
        stored = half(torch.rand(1, grid * grid + has_class, WIDTH, dtype=torch.float64) * 2 - 1)
        size = side // net.patch_embed.patch_size[0]
        # In float32, as timm does it.
        net.pos_embed.data = resample_abs_pos_embed(stored.float(), [size, size], num_prefix_tokens=has_class).double()
        state = {**state, "pos_embed": stored}
    renamed = {name: t.half().contiguous().clone() for name, t in arrays(state).items()}
    if file.endswith(".safetensors"):
        save_file(renamed, str(folder / file), metadata={"format": "pt"})
    else:
        torch.save(renamed, folder / file)
    x = torch.from_numpy(noise(f"vit{side}", BATCH * side * side * 3).reshape(BATCH, side, side, 3)).permute(0, 3, 1, 2).double()
    logits = net.train()(x)
    loss = F.cross_entropy(logits, torch.tensor([(7 * i + 3) % CLASSES for i in range(BATCH)]))
    loss.backward()
    gradients = {}
    for name, p in net.named_parameters():
        if name == "pos_embed":
            if has_class:
                gradients["embed/class-position"] = p.grad[:, :1]
            gradients["embed/position"] = p.grad[:, has_class:]
        else:
            gradients.update(of_ours(name, p.grad))
    if "register_tokens" in renamed:
        gradients["embed/class-position"] = gradients["embed/class"]
    print(file, "loss", float(loss.detach()))
    return {
        "options": {**options, "width": WIDTH, "depth": DEPTH},
        "file": file,
        "side": side,
        "logits": [float(f"{v:.9g}") for v in logits.detach().reshape(-1).tolist()],
        "loss": float(loss.detach()),
        **({} if any("head" in name for name in renamed) else {"head": {name: net.head.get_parameter(name).flatten().tolist() for name in ["weight", "bias"]}}),
        "gradients": {name: describe(name, g.detach().numpy()) for name, g in gradients.items()},
    }


def tiny(patch, side, heads, **more):
    return VisionTransformer(img_size=side, patch_size=patch, embed_dim=WIDTH, depth=DEPTH, num_heads=heads, num_classes=CLASSES, **more)


OPENAI = {"patch_embed.proj.": "conv1.", "norm_pre.": "ln_pre.", "attn.qkv.": "attn.in_proj_", "attn.proj.": "attn.out_proj."}
OPENAI |= {"mlp.fc1.": "mlp.c_fc.", "mlp.fc2.": "mlp.c_proj.", "norm1.": "ln_1.", "norm2.": "ln_2.", "blocks.": "transformer.resblocks."}


def openai(state):
    """Names and shapes of OpenAI's class, with arrays of the text encoder."""
    result = {"logit_scale": torch.ones([]), "positional_embedding": torch.ones(7, 4), "visual.proj": torch.ones(WIDTH, 6)}
    result |= {"transformer.resblocks.0.attn.in_proj_weight": torch.ones(12, 4), "token_embedding.weight": torch.ones(9, 4)}
    for name, tensor in state.items():
        if name.startswith("head."):
            continue
        for ours, theirs in OPENAI.items():
            name = name.replace(ours, theirs)
        name = re.sub(r"^norm\.", "ln_post.", name)
        if name == "cls_token":
            name, tensor = "class_embedding", tensor[0, 0]
        elif name == "pos_embed":
            name, tensor = "positional_embedding", tensor[0]
        result[f"visual.{name}"] = tensor
    return result


def dinov2(state):
    """As facebookresearch/dinov2 has it: the class token has a position of its own, which timm adds to it."""
    first = torch.rand(1, 1, WIDTH, dtype=torch.float64).mul(256).round().div(256)
    result = {"mask_token": torch.zeros(1, WIDTH)}
    for name, tensor in state.items():
        if name == "cls_token":
            tensor = tensor - first
        elif name == "pos_embed":
            tensor = torch.cat([first, tensor], 1)
        result[name.replace("reg_token", "register_tokens")] = tensor
    return result


TORCHVISION = {"cls_token": "class_token", "pos_embed": "encoder.pos_embedding", "patch_embed.proj.": "conv_proj.", "norm1.": "ln_1."}
TORCHVISION |= {"norm2.": "ln_2.", "attn.qkv.": "self_attention.in_proj_", "attn.proj.": "self_attention.out_proj.", "head.": "heads.head."}
TORCHVISION |= {"mlp.fc1.": "mlp.0.", "mlp.fc2.": "mlp.3.", "blocks.": "encoder.layers.encoder_layer_"}


def of_torchvision(state):
    """torchvision's names; its network has to compute what timm's does."""
    result = {}
    for name, tensor in state.items():
        name = re.sub(r"^norm\.", "encoder.ln.", name)
        for ours, theirs in TORCHVISION.items():
            name = name.replace(ours, theirs)
        result[name] = tensor
    net = torchvision.models.VisionTransformer(64, 16, DEPTH, 3, WIDTH, 4 * WIDTH, num_classes=CLASSES).double()
    net.load_state_dict(result, strict=True)
    x = torch.from_numpy(noise("vit64", BATCH * 64 * 64 * 3).reshape(BATCH, 64, 64, 3)).permute(0, 3, 1, 2).double()
    ours = tiny(16, 64, 3).double()
    ours.load_state_dict(state)
    assert float((net.eval()(x) - ours.eval()(x)).detach().abs().max()) < 1e-12
    return result


def shapes(state):
    """Names and shapes, with those of block 0 alone; the others are like it."""
    result, blocks = {}, {}
    for name, tensor in state.items():
        found = re.match(r"(blocks\.|encoder\.layers\.encoder_layer_|visual\.transformer\.resblocks\.|vit\.encoder\.layer\.)(\d+)\.(.*)", name)
        if not found or found[2] == "0":
            result[name] = list(tensor.shape)
        if found:
            blocks.setdefault(int(found[2]), {})[found[3]] = list(tensor.shape)
    assert all(block == blocks[0] for block in blocks.values())
    return {"blocks": len(blocks), "arrays": result}


def hugging_face(state):
    """Names of transformers' ViTForImageClassification."""
    pairs = {"cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings", "patch_embed.proj.": "embeddings.patch_embeddings.projection."}
    pairs |= {"norm1.": "layernorm_before.", "norm2.": "layernorm_after.", "attn.proj.": "attention.output.dense."}
    pairs |= {"mlp.fc1.": "intermediate.dense.", "mlp.fc2.": "output.dense.", "blocks.": "encoder.layer."}
    result = {}
    for name, tensor in state.items():
        name = re.sub(r"^norm\.", "layernorm.", name)
        for ours, theirs in pairs.items():
            name = name.replace(ours, theirs)
        if "attn.qkv." in name:
            for key, third in zip(["query", "key", "value"], tensor.chunk(3)):
                result["vit." + name.replace("attn.qkv.", f"attention.attention.{key}.")] = third
        else:
            result[name.replace("head.", "classifier.") if name.startswith("head.") else f"vit.{name}"] = tensor
    return result


def full_size():
    models = {
        "vit_tiny_patch16_224": "vit-tiny-16",
        "vit_small_patch16_224": "vit-small-16",
        "vit_base_patch16_224": "vit-base-16",
        "vit_base_patch16_clip_quickgelu_224": "vit-base-16",
        "deit3_small_patch16_224": "vit-small-16",
        "vit_small_patch14_dinov2": "vit-small-14",
        "vit_small_patch14_reg4_dinov2": "vit-small-14",
        "vit_base_patch14_dinov2": "vit-base-14",
        "vit_base_patch14_reg4_dinov2": "vit-base-14",
    }
    result = []
    with torch.device("meta"):
        for name, ours in models.items():
            result.append({"from": f"timm {name}", "name": ours, **shapes(timm.create_model(name).state_dict())})
        state = torchvision.models.vit_b_16().state_dict()
        result.append({"from": "torchvision vit_b_16", "name": "vit-base-16", **shapes(state)})
        state = hugging_face(timm.create_model("vit_base_patch16_224").state_dict())
        result.append({"from": "Hugging Face ViTForImageClassification", "name": "vit-base-16", **shapes(state)})
    return result


def write(file, value):
    text = json.dumps(value, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
    (folder / file).write_text(text + "\n")


if __name__ == "__main__":
    clip = dict(pre_norm=True, norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-5), act_layer=get_act_layer("quick_gelu"))
    registers = dict(reg_tokens=4, no_embed_class=True, init_values=1)
    cases = [
        case({"name": "vit-tiny-16"}, "vit-tiny.safetensors", None, tiny(16, 64, 3), 64, grid=5),
        case({"name": "vit-tiny-16"}, "vit-torchvision.safetensors", of_torchvision, tiny(16, 64, 3), 64),
        case({"name": "vit-tiny-16", "activation": "quick-gelu"}, "vit-clip.pth", openai, tiny(16, 64, 3, **clip), 64),
        case({"name": "vit-small-14"}, "vit-registers.safetensors", None, tiny(14, 56, 6, **registers), 56, grid=3),
        case({"name": "vit-small-14"}, "vit-dinov2.safetensors", dinov2, tiny(14, 56, 6, **registers), 56),
    ]
    grid = torch.from_numpy(noise("grid", 1 * 9 * 2)).reshape(1, 9, 2)
    resampled = [{"to": to, "values": resample_abs_pos_embed(grid, to, num_prefix_tokens=0).reshape(-1).tolist()} for to in ([2, 2], [5, 4], [1, 7])]
    versions = {"torch": torch.__version__, "timm": timm.__version__, "torchvision": torchvision.__version__}
    write("vit.json", {**versions, "classes": CLASSES, "batch": BATCH, "models": cases, "resampled": resampled})
    write("vit-names.json", {**versions, "models": full_size()})
