"""Logits of torchvision's own ResNet-50 and ResNet-18, in full size and float64, for test/models/full-size.test.ts.

Run: python test/reference/torchvision-forward.py   (needs torch, torchvision, numpy; written with 2.12 and 0.27)

ResNet-50 is torchvision's as it is; ResNet-18 has the CIFAR form: a 3x3 stem with stride 1 and no pooling. Weights and
images follow the formulas of models.py. Training mode normalises by the batch and carries running statistics.
"""

import json
import pathlib
import re

import torch
import torchvision

from models import describe, fill, to_tailmix
from noise import noise

BATCH = 2


def named(net):
    """tailmix's weight name -> (tensor, kind)."""
    result = {}

    def layer(name, conv, norm):
        result[f"{name}/kernel"] = (conv.weight, "conv")
        result[f"{name}/norm/scale"], result[f"{name}/norm/shift"] = (norm.weight, "vector"), (norm.bias, "vector")
        result[f"{name}/norm/mean"], result[f"{name}/norm/variance"] = (norm.running_mean, "mean"), (norm.running_var, "variance")

    layer("stem", net.conv1, net.bn1)
    for i in range(1, 5):
        for j, block in enumerate(getattr(net, f"layer{i}"), 1):
            for k in (1, 2, 3):
                if hasattr(block, f"conv{k}"):
                    layer(f"stage{i}/block{j}/conv{k}", getattr(block, f"conv{k}"), getattr(block, f"bn{k}"))
            if block.downsample is not None:
                layer(f"stage{i}/block{j}/shortcut", *block.downsample)
    result["classifier/kernel"], result["classifier/bias"] = (net.fc.weight, "linear"), (net.fc.bias, "vector")
    return result


def cifar18():
    net = torchvision.models.resnet18(num_classes=10)
    net.conv1, net.maxpool = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False), torch.nn.Identity()
    return net


def reference(name, net, side, classes):
    net = net.double()
    weights = named(net)
    assert sum(p.numel() for p in net.parameters()) == sum(t.numel() for t, kind in weights.values() if kind not in ("mean", "variance"))
    for key, (tensor, kind) in weights.items():
        fill(key, tensor, kind)
    images = torch.from_numpy(noise("images", BATCH * side * side * 3).reshape(BATCH, side, side, 3)).permute(0, 3, 1, 2).double()
    with torch.no_grad():
        evaluated = net.eval()(images)
        trained = net.train()(images)
    statistics = {key: describe(key, to_tailmix(t, kind)) for key, (t, kind) in weights.items() if kind in ("mean", "variance")}
    return {
        "name": name,
        "imageShape": [side, side, 3],
        "classes": classes,
        "batch": BATCH,
        "weights": {key: list(to_tailmix(t, kind).shape) for key, (t, kind) in weights.items()},
        "evaluated": describe("logits", evaluated.numpy()),
        "trained": describe("logits", trained.numpy()),
        "statistics": statistics,
    }


if __name__ == "__main__":
    models = [reference("resnet18-cifar", cifar18(), 32, 10), reference("resnet50", torchvision.models.resnet50(), 224, 1000)]
    result = {"torch": torch.__version__.split("+")[0], "torchvision": torchvision.__version__.split("+")[0], "models": models}
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
    pathlib.Path(__file__).with_name("torchvision-forward.json").write_text(text + "\n")
