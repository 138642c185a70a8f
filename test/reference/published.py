"""Small files of weights with torchvision's names, and what their networks compute, for test/models/published.

    python3 test/reference/published.py    # PyTorch, safetensors, numpy; written with 2.9.0, 0.8, 2.4

Networks of published shape with few channels and random weights in half precision, computed in float64. Written from the
papers (He et al. 2016, Sandler et al. 2018) with torchvision's names for the modules; where torchvision can be imported,
names and shapes in full width are compared with its own, and logits with the same weights too.

A network with ReLU has gradients that jump where an input of a ReLU crosses zero, and float32 agrees with float64 only away from
there: the shift of the norm before each ReLU is moved, by less than 0.1 a channel, to where the inputs leave the widest gap. Without
that PyTorch's own float32 was 8e-3 from its float64 in the gradient of a MobileNetV2. How far it is now is printed: 1e-6 to 4e-6.
"""

import json
import pathlib
import re

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

from models import describe
from noise import noise

folder = pathlib.Path(__file__).parent.parent / "models" / "published"
CLASSES, BATCH, SIDE = 5, 4, 64
smallest, norms, is_moving = [], [], False


class Norm(nn.BatchNorm2d):
    """Batch norm that the next ReLU finds."""

    def forward(self, x):
        norms.append(self)
        return super().forward(x)


def widest_gap(values, bends):
    """Shift between -0.1 and 0.1 that keeps values furthest from where a ReLU bends."""
    near = np.sort(np.concatenate([bend - values for bend in bends]))
    near = np.concatenate([[-0.1], near[np.abs(near) < 0.1], [0.1]])
    widest = np.argmax(np.diff(near))
    return (near[widest] + near[widest + 1]) / 2


class Watched(nn.Module):
    """ReLU, or ReLU6, that notes how near its inputs come to where it bends."""

    def __init__(self, top=None):
        super().__init__()
        self.top = top

    def forward(self, x):
        if is_moving:
            bends = [0] if self.top is None else [0, self.top]
            shifts = [widest_gap(x[:, c].detach().numpy().reshape(-1), bends) for c in range(x.shape[1])]
            with torch.no_grad():
                before, bias = norms[-1].bias.clone(), norms[-1].bias
                bias.add_(torch.tensor(shifts)).copy_(bias.half().to(bias.dtype))
                x = x + (bias - before)[None, :, None, None]
        near = x.detach().abs().min()
        if self.top is not None:
            near = torch.minimum(near, (x.detach() - self.top).abs().min())
        smallest.append(float(near))
        return x.clamp(min=0) if self.top is None else x.clamp(0, self.top)


class Block(nn.Module):
    def __init__(self, inputs, width, stride, wide, groups=1):
        super().__init__()
        sizes = [(1, 1), (3, stride), (1, 1)] if wide else [(3, stride), (3, 1)]
        inner = width if groups == 1 else 2 * width
        outputs = [inner, inner, 4 * width] if wide else [width, width]
        for k, ((size, step), before, after) in enumerate(zip(sizes, [inputs, *outputs], outputs), 1):
            own = groups if wide and size == 3 else 1
            setattr(self, f"conv{k}", nn.Conv2d(before, after, size, step, size // 2, groups=own, bias=False))
            setattr(self, f"bn{k}", Norm(after))
        self.depth, self.relu, self.downsample = len(sizes), Watched(), None
        if stride != 1 or inputs != outputs[-1]:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs[-1], 1, stride, bias=False), Norm(outputs[-1]))

    def forward(self, x):
        y = x
        for k in range(1, self.depth + 1):
            y = getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(y))
            y = self.relu(y) if k < self.depth else y
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depths, wide, width, classes, groups=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), Norm(width)
        self.relu, before, factor = Watched(), width, 4 if wide else 1
        for i, depth in enumerate(depths):
            blocks = []
            for j in range(depth):
                blocks.append(Block(before, width * 2**i, 2 if j == 0 and i > 0 else 1, wide, groups))
                before = width * 2**i * factor
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = F.max_pool2d(self.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        return self.fc(x.mean((2, 3)))


def unit(inputs, outputs, size, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False), Norm(outputs), Watched(6))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, factor):
        super().__init__()
        hidden = inputs * factor
        layers = [unit(inputs, hidden, 1)] if factor > 1 else []
        layers += [unit(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, outputs, 1, bias=False), Norm(outputs)]
        self.conv, self.same = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.same else self.conv(x)


def multiple_of_8(channels):
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class MobileNetV2(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        before, last = multiple_of_8(32 * width), multiple_of_8(1280 * max(1, width))
        layers = [unit(3, before, 3, 2)]
        for factor, channels, count, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
            for j in range(count):
                layers.append(Inverted(before, multiple_of_8(channels * width), stride if j == 0 else 1, factor))
                before = multiple_of_8(channels * width)
        self.features = nn.Sequential(*layers, unit(before, last, 1))
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(last, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def randomize(net):
    """Random weights that half precision holds; the last norm of a block around which there is a shortcut is scaled down, which keeps float32 near float64."""
    if isinstance(net, ResNet):
        last, small = {name for name in net.state_dict() if f"bn{net.layer1[0].depth}.weight" in name}, 0.2
    else:
        last, small = {f"features.{i}.conv.3.weight" for i, block in enumerate(net.features) if getattr(block, "same", False)}, 0.06
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.dim() > 1:
                fan = tensor[0].numel()
                tensor.uniform_(-1, 1).mul_((6 / fan) ** 0.5 if tensor.dim() == 4 else (3 / fan) ** 0.5)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("num_batches_tracked"):
                tensor.fill_(7)
                continue
            elif re.search(r"(bn\d|\.1|conv\.[23])\.weight$", name):
                tensor.uniform_(0.75, 1.25).mul_(small if name in last else 1)
            else:
                tensor.uniform_(-0.1, 0.1)
            tensor.copy_(tensor.half().to(tensor.dtype))


def as_tailmix(name, tensor):
    """In tailmix's layout."""
    array = tensor.detach().numpy()
    if array.ndim == 4:
        return array.transpose(2, 3, 0, 1) if array.shape[1] == 1 else array.transpose(2, 3, 1, 0)
    return array.T


def images(key):
    values = noise(key, BATCH * SIDE * SIDE * 3).reshape(BATCH, SIDE, SIDE, 3)
    return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().double()


def gradients(net):
    """Loss and gradients of a training step, and the batch norms as they were."""
    smallest.clear()
    dtype = next(net.parameters()).dtype
    state = {name: t.clone() for name, t in net.state_dict().items()}
    loss = F.cross_entropy(net.train()(images("images1").to(dtype)), torch.tensor([(7 * i + 3) % CLASSES for i in range(BATCH)]))
    net.zero_grad()
    loss.backward()
    net.load_state_dict(state)
    return float(loss.detach()), {name: p.grad.double() for name, p in net.named_parameters()}


def move_shifts(net):
    global is_moving
    state = {name: t.clone() for name, t in net.state_dict().items() if "running" in name or "tracked" in name}
    is_moving = True
    net.train()(images("images1"))
    is_moving = False
    net.load_state_dict(state, strict=False)


def reference(options, net, file):
    torch.manual_seed(11)
    net = net.double()
    randomize(net)
    move_shifts(net)
    state = {name: (t.half() if t.is_floating_point() else t.clone()) for name, t in net.state_dict().items()}
    if file.endswith(".safetensors"):
        save_file({name: t.contiguous() for name, t in state.items()}, str(folder / file), metadata={"format": "pt"})
    else:
        torch.save(state, folder / file, _use_new_zipfile_serialization="legacy" not in file)
    with torch.no_grad():
        evaluated = net.eval()(images("images0"))
    loss, grads = gradients(net)
    distance = min(smallest)
    _, rough = gradients(net.float())
    length = lambda tensors: sum(float(t.square().sum()) for t in tensors) ** 0.5
    apart = length(grads[name] - rough[name] for name in grads) / length(grads.values())
    print(f"{options} loss {loss:.6f} smallest distance {distance:.1e} float32's gradients {apart:.1e} apart")
    return {
        "options": options,
        "file": file,
        "logits": [float(f"{x:.9g}") for x in evaluated.reshape(-1).tolist()],
        "loss": loss,
        "gradients": {name: describe(name, as_tailmix(name, grad)) for name, grad in grads.items()},
    }


def compare(ours, theirs):
    """Names, shapes and logits of a network in full width against torchvision's."""
    ours, theirs = ours.double().eval(), theirs.double().eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    with torch.no_grad():
        x = torch.randn(1, 3, 96, 96, dtype=torch.float64)
        distance = float((ours(x) - theirs(x)).abs().max())
    assert distance < 1e-9, distance


SHAPES = {
    "resnet18": ([2, 2, 2, 2], False),
    "resnet34": ([3, 4, 6, 3], False),
    "resnet50": ([3, 4, 6, 3], True),
    "resnet101": ([3, 4, 23, 3], True),
}

if __name__ == "__main__":
    folder.mkdir(exist_ok=True)
    try:
        import torchvision
    except ImportError:
        print("torchvision cannot be imported: names and logits are not compared with its own")
    else:
        for name, shape in SHAPES.items():
            compare(ResNet(*shape, 64, 1000), getattr(torchvision.models, name)())
        compare(ResNet(*SHAPES["resnet50"], 64, 1000, groups=32), torchvision.models.resnext50_32x4d())
        compare(MobileNetV2(1, 1000), torchvision.models.mobilenet_v2())
    files = {"resnet18": (2, "resnet18.safetensors"), "resnet34": (2, "resnet34.pth"), "resnet50": (2, "resnet50.safetensors"), "resnet101": (2, "resnet101.safetensors")}
    models = [reference({"name": name, "width": width}, ResNet(*SHAPES[name], width, CLASSES), file) for name, (width, file) in files.items()]
    models.append(reference({"name": "mobilenet-v2", "width": 0.1}, MobileNetV2(0.1, CLASSES), "mobilenet-v2-legacy.pth"))
    models.append(reference({"name": "resnext50-32x4d", "width": 4}, ResNet(*SHAPES["resnet50"], 4, CLASSES, groups=2), "resnext50-32x4d.safetensors"))
    result = {"torch": torch.__version__, "classes": CLASSES, "batch": BATCH, "imageShape": [SIDE, SIDE, 3], "models": models}
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
    (folder / "expected.json").write_text(text + "\n")
