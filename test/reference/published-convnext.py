"""Small ConvNeXts with timm's and torchvision's names, and what they compute in float64, for test/models/published.test.ts.

    python3 test/reference/published-convnext.py    # PyTorch, timm, torchvision, safetensors; written with 2.9.0, 1.0.31, 0.24, 0.8

Of full depth, with few channels and random weights in half precision. Both libraries' networks get the same weights, and give the
same logits.
"""

import json
import pathlib
import re

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from timm.models.convnext import ConvNeXt
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.convnext import ConvNeXt as TorchvisionConvNeXt

from models import describe
from noise import noise

folder = pathlib.Path(__file__).parent.parent / "models" / "published"
CLASSES, BATCH, SIDE, WIDTH, DEPTHS = 5, 4, 64, 4, [3, 3, 9, 3]
torch.manual_seed(11)
torch.set_num_threads(1)


def images(key):
    values = noise(key, BATCH * SIDE * SIDE * 3).reshape(BATCH, SIDE, SIDE, 3)
    return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().double()


def torchvision_name(name):
    name = re.sub(r"^stem\.(\d)", r"features.0.\1", name)
    name = re.sub(r"^stages\.(\d)\.downsample", lambda m: f"features.{2 * int(m[1])}", name)
    name = re.sub(r"^stages\.(\d)\.blocks", lambda m: f"features.{2 * int(m[1]) + 1}", name)
    parts = {"conv_dw": "block.0", ".norm": ".block.2", "mlp.fc1": "block.3", "mlp.fc2": "block.5", "gamma": "layer_scale"}
    if name.startswith("features"):
        for ours, theirs in parts.items():
            name = name.replace(ours, theirs)
    return name.replace("head.norm", "classifier.0").replace("head.fc", "classifier.2")


def as_tailmix(tensor):
    array = tensor.numpy()
    if array.ndim == 4:
        return array.transpose(2, 3, 0, 1) if array.shape[1] == 1 else array.transpose(2, 3, 1, 0)
    return array.T


net = ConvNeXt(num_classes=CLASSES, depths=DEPTHS, dims=[WIDTH * 2**i for i in range(4)]).double().eval()
with torch.no_grad():
    for name, tensor in net.state_dict().items():
        if name.endswith("gamma"):
            tensor.uniform_(0.3, 0.7)
        elif tensor.dim() > 1:
            tensor.uniform_(-1, 1).mul_((3 / tensor[0].numel()) ** 0.5)
        else:
            tensor.uniform_(-0.1, 0.1).add_(1 if "weight" in name else 0)
        tensor.copy_(tensor.half().double())
state = {name: tensor.half().contiguous() for name, tensor in net.state_dict().items()}
settings = [CNBlockConfig(WIDTH * 2**i, WIDTH * 2 ** (i + 1) if i < 3 else None, depth) for i, depth in enumerate(DEPTHS)]
other = TorchvisionConvNeXt(settings, num_classes=CLASSES).double().eval()
renamed = {torchvision_name(name): (t[:, None, None] if name.endswith("gamma") else t) for name, t in state.items()}
other.load_state_dict({name: t.double() for name, t in renamed.items()}, strict=True)
with torch.no_grad():
    evaluated = net(images("images0"))
    assert float((evaluated - other(images("images0"))).abs().max()) < 1e-12
save_file(state, str(folder / "convnext-tiny.safetensors"), metadata={"format": "pt"})
torch.save(renamed, folder / "convnext-tiny-torchvision.pth")


def gradients(dtype):
    net.to(dtype).zero_grad()
    loss = F.cross_entropy(net(images("images1").to(dtype)), torch.tensor([(7 * i + 3) % CLASSES for i in range(BATCH)]))
    loss.backward()
    return float(loss.detach()), {name: p.grad.double() for name, p in net.named_parameters()}


loss, grads = gradients(torch.float64)
_, rough = gradients(torch.float32)
length = lambda tensors: sum(float(t.square().sum()) for t in tensors) ** 0.5
print("loss", loss, "float32's gradients", length(grads[k] - rough[k] for k in grads) / length(grads.values()), "apart")
files = ["convnext-tiny.safetensors", "convnext-tiny-torchvision.pth"]
model = {
    "logits": [float(f"{x:.9g}") for x in evaluated.reshape(-1).tolist()],
    "loss": loss,
    "gradients": {name: describe(name, as_tailmix(grad)) for name, grad in grads.items()},
}
models = [{"options": {"name": "convnext-tiny", "width": WIDTH}, "file": file, **model} for file in files]
result = {"torch": torch.__version__, "classes": CLASSES, "batch": BATCH, "imageShape": [SIDE, SIDE, 3], "models": models}
text = json.dumps(result, indent=1)
text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
(folder / "convnext.json").write_text(text + "\n")
