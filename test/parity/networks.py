"""Files of random weights as timm and torchvision name them, every network in full width and depth, and what PyTorch computes.

    python test/parity/networks.py FOLDER [NAME]…    # torch, timm, torchvision, numpy; without names, all

Of each network NAME.safetensors (of torchvision NAME.pth), NAME-gradients.safetensors with the same names, and a line of JSON on
standard output: logits, loss and names. PyTorch computes in float64, with batch statistics, on images and labels that test/parity/run.ts
computes too.

A network with ReLU has gradients that jump where an input of a ReLU crosses zero: the shift of the norm before each ReLU is
moved, by less than 0.1 a channel, to where the inputs leave the widest gap, as in test/reference/published.py.
"""

import json
import pathlib
import sys

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "reference"))
from noise import noise  # noqa: E402

CLASSES, BATCH, SIDE = 10, 2, 112
torch.set_num_threads(1)

CASES = {
    "timm-resnet18": "resnet18",
    "timm-resnet34": "resnet34",
    "timm-resnet50": "resnet50",
    "timm-resnet101": "resnet101",
    "timm-resnext50_32x4d": "resnext50-32x4d",
    "timm-mobilenetv2_100": "mobilenet-v2",
    "timm-convnext_tiny": "convnext-tiny",
    "timm-vit_tiny_patch16_224": "vit-tiny-16",
    "timm-vit_small_patch16_224": "vit-small-16",
    "timm-deit3_small_patch16_224": "vit-small-16",
    "timm-vit_base_patch16_224": "vit-base-16",
    "timm-vit_base_patch16_clip_quickgelu_224": "vit-base-16",
    "timm-vit_small_patch14_dinov2": "vit-small-14",
    "timm-vit_small_patch14_reg4_dinov2": "vit-small-14",
    "timm-vit_base_patch14_dinov2": "vit-base-14",
    "timm-vit_base_patch14_reg4_dinov2": "vit-base-14",
    "torchvision-resnet18": "resnet18",
    "torchvision-resnet34": "resnet34",
    "torchvision-resnet50": "resnet50",
    "torchvision-resnet101": "resnet101",
    "torchvision-resnext50_32x4d": "resnext50-32x4d",
    "torchvision-mobilenet_v2": "mobilenet-v2",
    "torchvision-convnext_tiny": "convnext-tiny",
    "torchvision-vit_b_16": "vit-base-16",
}


def network(case):
    library, name = case.split("-", 1)
    if library == "torchvision":
        net = getattr(torchvision.models, name)(num_classes=CLASSES, **({"image_size": SIDE} if "vit" in name else {}))
    else:
        net = timm.create_model(name, num_classes=CLASSES, **({"img_size": SIDE} if "patch" in name else {}))
    for module in net.modules():
        # Nothing is dropped.
        if isinstance(module, nn.Dropout) or type(module).__name__ == "StochasticDepth":
            module.p = 0.0
    return net


def randomize(net):
    """Random values where the first ones are zeros, ones or so small that a mistake would not show."""
    generator = torch.Generator().manual_seed(1)
    last = {name for name, _ in net.named_parameters() if "bn3.weight" in name}
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if not value.is_floating_point():
                continue
            random = torch.rand(value.shape, generator=generator) * 2 - 1
            if name.endswith("running_var"):
                value.copy_(1 + random / 2)
            elif name.endswith(("running_mean", "bias")):
                value.copy_(random / 10)
            elif "gamma" in name or "layer_scale" in name:
                value.copy_(0.2 + random / 10)
            elif name in last:
                value.copy_(0.2 + random / 20)
            elif value.dim() == 1:
                value.copy_(1 + random / 4)
            elif not value.abs().max() > 0.01:
                value.copy_(random / 10)


def move_shifts(net, x):
    """Shifts norms so that no input of a ReLU is near where it bends; returns the smallest distance."""
    norms, nearest = [], []

    def find(module, given):
        norms.append(module)

    def move(module, given):
        (values,) = given
        bends = [0.0, 6.0] if isinstance(module, nn.ReLU6) else [0.0]
        bias = norms[-1].bias
        deltas = []
        for c in range(values.shape[1]):
            flat = values[:, c].detach().numpy().reshape(-1)
            near = np.concatenate([bend - flat for bend in bends])
            near = np.concatenate([[-0.1], np.sort(near[np.abs(near) < 0.1]), [0.1]])
            widest = np.argmax(np.diff(near))
            deltas.append((near[widest] + near[widest + 1]) / 2)
        with torch.no_grad():
            before = bias.clone()
            bias.add_(torch.tensor(deltas)).copy_(bias.float().double())
            values = values + (bias - before)[None, :, None, None]
        nearest.append(min(float((values - bend).abs().min()) for bend in bends))
        return (values,)

    handles = []
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            handles.append(module.register_forward_pre_hook(find))
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.inplace = False
            handles.append(module.register_forward_pre_hook(move))
    if handles:
        with torch.no_grad():
            state = {name: value.clone() for name, value in net.state_dict().items() if "running" in name or "tracked" in name}
            net(x)
            net.load_state_dict(state, strict=False)
    for handle in handles:
        handle.remove()
    return min(nearest, default=None)


def run(case, folder):
    torch.manual_seed(0)
    net = network(case)
    randomize(net)
    net = net.double().train()
    x = torch.from_numpy(noise("parity", BATCH * SIDE * SIDE * 3).reshape(BATCH, SIDE, SIDE, 3)).permute(0, 3, 1, 2).double()
    nearest = move_shifts(net, x)
    state = {name: value.float().clone() if value.is_floating_point() else value.clone() for name, value in net.state_dict().items()}
    file = f"{case}.pth" if case.startswith("torchvision") else f"{case}.safetensors"
    if file.endswith(".pth"):
        torch.save(state, folder / file)
    else:
        save_file(state, str(folder / file), metadata={"format": "pt"})
    evaluated = net.eval()(x).detach()
    logits = net.train()(x)
    loss = F.cross_entropy(logits, torch.tensor([(7 * i + 3) % CLASSES for i in range(BATCH)]))
    loss.backward()
    gradients = {name: torch.zeros_like(value) for name, value in state.items()}
    gradients |= {name: p.grad.float().contiguous() for name, p in net.named_parameters()}
    save_file(gradients, str(folder / f"{case}-gradients.safetensors"))
    # How far PyTorch's own float32 is: gradients also jump where the maximum of a pool changes place.
    single = net.float()
    single.zero_grad()
    F.cross_entropy(single(x.float()), torch.tensor([(7 * i + 3) % CLASSES for i in range(BATCH)])).backward()
    far = sum(float((p.grad.double() - gradients[name].double()).square().sum()) for name, p in single.named_parameters())
    whole = sum(float(gradients[name].double().square().sum()) for name, _ in single.named_parameters())
    result = {"float32": (far / whole) ** 0.5, "case": case, "name": CASES[case], "file": file, "nearest": nearest, "loss": float(loss.detach())}
    result |= {"evaluated": evaluated.reshape(-1).tolist(), "logits": logits.detach().reshape(-1).tolist()}
    versions = {"torch": torch.__version__, "timm": timm.__version__, "torchvision": torchvision.__version__}
    print(json.dumps({**result, **versions}), flush=True)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for case in sys.argv[2:] or CASES:
        run(case, folder)
