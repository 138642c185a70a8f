"""Reference numbers for test/models, from plain PyTorch in float64 (written with torch 2.12).

Run: python test/reference/models.py   (needs torch and numpy; writes models.json beside itself)

A network with ReLU has gradients that jump where a ReLU's input crosses zero, so float32 can agree with float64 only
away from there: of eight sets of images the one is taken whose ReLU inputs stay furthest from zero, networks are
narrow, and the last norm of a bottleneck is scaled down, which keeps ResNet-50 well-conditioned. The networks'
full sizes are compared by their numbers of parameters.

Weights and images follow a formula that both sides compute (noise.py), so that no arrays are stored. Of each tensor
the norm and three projections on such sequences are written.
"""

import json
import math
import pathlib
import re

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from noise import noise

torch.set_num_threads(2)


def describe(name, values):
    """Norm and projections, in float64; `values` is a flat array in the order of tailmix's layout."""
    flat = np.asarray(values, dtype=np.float64).reshape(-1)
    projections = [float(flat @ noise(f"projection{k}/{name}", flat.size).astype(np.float64)) for k in range(3)]
    return [float(f"{value:.9g}") for value in [np.linalg.norm(flat), *projections]]


# --- networks -------------------------------------------------------------------------------------------------------


class Basic(nn.Module):
    def __init__(self, inputs, width, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.option, self.extra, self.changes = option, width - inputs, stride != 1 or inputs != width
        if option == "B" and self.changes:
            self.shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(width)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if not self.changes:
            return F.relu(y + x)
        if self.option == "A":
            return F.relu(y + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra // 2)))
        return F.relu(y + self.shortcut_norm(self.shortcut(x)))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(4 * width)
        self.changes = stride != 1 or inputs != 4 * width
        if self.changes:
            self.shortcut = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(4 * width)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return F.relu(y + (self.shortcut_norm(self.shortcut(x)) if self.changes else x))


class Residual(nn.Module):
    def __init__(self, block, widths, depths, option, expansion, channels, classes, imagenet, head):
        super().__init__()
        width = widths[0]
        self.imagenet, self.head = imagenet, head
        self.stem = nn.Conv2d(channels, width, 7, 2, 3, bias=False) if imagenet else nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        inputs, stages = width, []
        for i, (stage_width, depth) in enumerate(zip(widths, depths)):
            blocks = []
            for j in range(depth):
                blocks.append(block(inputs, stage_width, 2 if i > 0 and j == 0 else 1, option))
                inputs = stage_width * expansion
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.classifier = nn.Linear(inputs, classes, bias=head == "linear")

    def forward(self, x):
        x = F.relu(self.stem_norm(self.stem(x)))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
        self.features = x.mean((2, 3))
        if self.head == "cosine":
            return F.normalize(self.features, dim=1) @ F.normalize(self.classifier.weight, dim=1).T
        return self.classifier(self.features)


class SmallCnn(nn.Module):
    def __init__(self, width, channels, pixels, classes):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(channels, width, 5, 2, 2, bias=False), nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(2 * width)])
        self.hidden = nn.Linear(pixels * 2 * width, 4 * width)
        self.classifier = nn.Linear(4 * width, classes)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = F.relu(norm(conv(x)))
        self.features = F.relu(self.hidden(x.permute(0, 2, 3, 1).flatten(1)))
        return self.classifier(self.features)


class Mlp(nn.Module):
    def __init__(self, pixels, width, depth, classes):
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(pixels if i == 0 else width, width) for i in range(depth)])
        self.classifier = nn.Linear(width, classes)

    def forward(self, x):
        x = x.permute(0, 2, 3, 1).flatten(1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        self.features = x
        return self.classifier(x)


# --- tailmix's names -------------------------------------------------------------------------------------------------


def named(net):
    """tailmix's weight name -> (tensor, kind), in tailmix's order."""
    result = {}

    def conv(name, module):
        result[f"{name}/kernel"] = (module.weight, "conv")

    def norm(name, module):
        result[f"{name}/norm/scale"] = (module.weight, "vector")
        result[f"{name}/norm/shift"] = (module.bias, "vector")
        result[f"{name}/norm/mean"] = (module.running_mean, "mean")
        result[f"{name}/norm/variance"] = (module.running_var, "variance")

    def linear(name, module):
        result[f"{name}/kernel"] = (module.weight, "linear")
        if module.bias is not None:
            result[f"{name}/bias"] = (module.bias, "vector")

    if isinstance(net, Residual):
        conv("stem", net.stem), norm("stem", net.stem_norm)
        for i, stage in enumerate(net.stages):
            for j, block in enumerate(stage):
                prefix = f"stage{i + 1}/block{j + 1}"
                for k in range(1, 4):
                    if hasattr(block, f"conv{k}"):
                        conv(f"{prefix}/conv{k}", getattr(block, f"conv{k}")), norm(f"{prefix}/conv{k}", getattr(block, f"norm{k}"))
                if hasattr(block, "shortcut"):
                    conv(f"{prefix}/shortcut", block.shortcut), norm(f"{prefix}/shortcut", block.shortcut_norm)
    elif isinstance(net, SmallCnn):
        for i, (c, n) in enumerate(zip(net.convs, net.norms)):
            conv(f"stage{i + 1}/conv1", c), norm(f"stage{i + 1}/conv1", n)
        linear("stage3", net.hidden)
    else:
        for i, layer in enumerate(net.hidden):
            linear(f"stage{i + 1}", layer)
    linear("classifier", net.classifier)
    return result


def to_tailmix(tensor, kind):
    array = tensor.detach().numpy()
    return {"conv": lambda a: a.transpose(2, 3, 1, 0), "linear": lambda a: a.T}.get(kind, lambda a: a)(array)


def fill(name, tensor, kind):
    values = noise(name, tensor.numel())
    if kind == "conv":
        out, inputs, height, width = tensor.shape
        values = values * np.float32(math.sqrt(6 / (inputs * height * width)))
        array = values.reshape(height, width, inputs, out).transpose(3, 2, 0, 1)
    elif kind == "linear":
        out, inputs = tensor.shape
        array = (values * np.float32(math.sqrt(6 / inputs))).reshape(inputs, out).T
    elif name.endswith("/scale"):
        array = (1 + values / 4) * np.float32(0.2 if "/conv3/" in name else 1)
    elif kind == "variance":
        array = 1 + values / 2
    else:
        array = values / 10
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def forward(net, weights, images, training):
    """Logits and the smallest size of a ReLU's input; weights and statistics are set anew."""
    for key, (tensor, kind) in weights.items():
        fill(key, tensor, kind)
    smallest, relu = [], F.relu
    F.relu = lambda x: smallest.append(float(x.detach().abs().min())) or relu(x)
    logits = net.train(training)(images)
    F.relu = relu
    return logits, min(smallest)


def reference(options, net, shape, classes, batch):
    net = net.double()
    weights = named(net)

    def image_set(number):
        values = noise(f"images{number}", batch * math.prod(shape)).reshape(batch, *shape)
        return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().double()

    images = max(range(8), key=lambda number: forward(net, weights, image_set(number), True)[1])
    labels = torch.tensor([(7 * i + 3) % classes for i in range(batch)])
    with torch.no_grad():
        evaluated, _ = forward(net, weights, image_set(images), False)
    logits, distance = forward(net, weights, image_set(images), True)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    trained = {k: (t, kind) for k, (t, kind) in weights.items() if kind not in ("mean", "variance")}
    statistics = {k: (t, kind) for k, (t, kind) in weights.items() if kind in ("mean", "variance")}
    print(options, "images", images, "loss", round(float(loss.detach()), 4), "smallest ReLU input", distance)
    return {
        "options": options,
        "imageShape": list(shape),
        "classes": classes,
        "batch": batch,
        "images": f"images{images}",
        "weights": {k: list(to_tailmix(t, kind).shape) for k, (t, kind) in weights.items()},
        "evaluatedLogits": describe("logits", evaluated.numpy()),
        "logits": describe("logits", logits.detach().numpy()),
        "features": describe("features", net.features.detach().numpy()),
        "loss": float(loss.detach()),
        "gradients": {k: describe(k, to_tailmix(t.grad, kind)) for k, (t, kind) in trained.items()},
        "statistics": {k: describe(k, to_tailmix(t, kind)) for k, (t, kind) in statistics.items()},
    }


def residual32(width=16, head="linear"):
    return Residual(Basic, [width, 2 * width, 4 * width], [5, 5, 5], "A", 1, 3, 10, False, head)


def residual18(width=64):
    return Residual(Basic, [width, 2 * width, 4 * width, 8 * width], [2, 2, 2, 2], "B", 1, 3, 10, False, "linear")


def residual50(width=64, classes=1000):
    widths = [width, 2 * width, 4 * width, 8 * width]
    return Residual(Bottleneck, widths, [3, 4, 6, 3], "B", 4, 3, classes, True, "linear")


def size(net):
    return sum(p.numel() for p in net.parameters())


if __name__ == "__main__":
    sizes = [
        ("resnet32", residual32(), [32, 32, 3], 10),
        ("resnet18-cifar", residual18(), [32, 32, 3], 10),
        ("resnet50", residual50(), [224, 224, 3], 1000),
    ]
    cases = [
        ({"name": "resnet32"}, residual32(), (16, 16, 3), 10, 2),
        ({"name": "resnet32", "width": 8, "head": "cosine"}, residual32(8, "cosine"), (16, 16, 3), 10, 4),
        ({"name": "resnet18-cifar", "width": 16}, residual18(16), (16, 16, 3), 10, 4),
        ({"name": "resnet50", "width": 8}, residual50(8, 10), (64, 64, 3), 10, 4),
        ({"name": "small-cnn"}, SmallCnn(16, 1, 49, 10), (28, 28, 1), 10, 4),
        ({"name": "mlp"}, Mlp(784, 128, 2, 10), (28, 28, 1), 10, 4),
    ]
    result = {
        "torch": torch.__version__.split("+")[0],
        "sizes": [{"name": n, "parameters": size(net), "imageShape": shape, "classes": c} for n, net, shape, c in sizes],
        "models": [reference(*case) for case in cases],
    }
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
    pathlib.Path(__file__).with_name("models.json").write_text(text + "\n")
