"""Multiply-accumulates of one image's forward pass, as PyTorch's own counter has them, for test/models/macs.test.ts.

Run: python test/reference/macs.py   (needs torch, torchvision, timm; written with 2.15, 0.29 and 1.0.31)

The counter counts two operations for each of convolutions, matrix products and attention; nothing else.
"""

import json
import pathlib

import timm
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from models import residual18, residual32

NETS = {
    "resnet32": (residual32, 32, 10),
    "resnet18-cifar": (residual18, 32, 10),
    "resnet18": (torchvision.models.resnet18, 224, 1000),
    "resnet50": (torchvision.models.resnet50, 224, 1000),
    "resnext50-32x4d": (torchvision.models.resnext50_32x4d, 224, 1000),
    "mobilenet-v2": (torchvision.models.mobilenet_v2, 224, 1000),
    "convnext-tiny": (torchvision.models.convnext_tiny, 224, 1000),
    "vit-tiny-16": (lambda: timm.create_model("vit_tiny_patch16_224"), 224, 1000),
}


def macs(net, side):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.eval()(torch.zeros(1, 3, side, side, dtype=next(net.parameters()).dtype))
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


rows = [
    {"name": name, "imageShape": [side, side, 3], "classes": classes, "macs": macs(make(), side)}
    for name, (make, side, classes) in NETS.items()
]
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n")
