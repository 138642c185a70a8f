"""Names and shapes of the full networks of timm and torchvision, for test/models/published-names.test.ts.

    python3 test/reference/published-names.py    # written with timm 1.0.31, torchvision 0.24.0

Counters (`num_batches_tracked`) are left out. One string for each state_dict: `conv1.weight:64x3x7x7 bn1.weight:64 ...`.
"""

import json
import pathlib

import timm
import torch
import torchvision

NETWORKS = {
    "resnet18": ("resnet18", "resnet18"),
    "resnet34": ("resnet34", "resnet34"),
    "resnet50": ("resnet50", "resnet50"),
    "resnet101": ("resnet101", "resnet101"),
    "resnext50-32x4d": ("resnext50_32x4d", "resnext50_32x4d"),
    "mobilenet-v2": ("mobilenetv2_100", "mobilenet_v2"),
    "convnext-tiny": ("convnext_tiny", "convnext_tiny"),
}


def arrays(net):
    shapes = {name: tuple(t.shape) for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    return " ".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())


networks = {}
with torch.device("meta"):
    for name, (of_timm, of_torchvision) in NETWORKS.items():
        both = arrays(timm.create_model(of_timm)), arrays(getattr(torchvision.models, of_torchvision)())
        networks[name] = {"both": both[0]} if both[0] == both[1] else dict(zip(["timm", "torchvision"], both))
result = {"timm": timm.__version__, "torchvision": torchvision.__version__, "networks": networks}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
