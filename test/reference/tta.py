"""Reference numbers for test/plugins/tta: predictions averaged over five crops and their mirror images, by torchvision's ten_crop in float64.

Run: python test/reference/tta.py   (needs numpy, torch, torchvision; writes tta.json beside itself)

Images are padded with zeros, and crops of their own size are taken from the corners and the centre. The network is a linear one.
"""

import json
import pathlib

import numpy as np
import torch
from torchvision.transforms.functional import hflip, pad, ten_crop

from noise import noise

N, SIDE, CHANNELS, CLASSES, PADDING = 3, 6, 2, 4, 2
images = torch.tensor(noise("tta-images", N * SIDE * SIDE * CHANNELS).astype(np.float64)).view(N, SIDE, SIDE, CHANNELS).permute(0, 3, 1, 2)
kernel = torch.tensor(noise("tta-kernel", SIDE * SIDE * CHANNELS * CLASSES).astype(np.float64)).view(-1, CLASSES)


def logits(view):
    return view.permute(0, 2, 3, 1).flatten(1) @ kernel


def averaged(views):
    found = torch.stack([logits(view) for view in views])
    return {"logits": found.mean(0).flatten().tolist(), "probabilities": torch.softmax(found, 2).mean(0).flatten().tolist()}


result = {
    "images": N, "side": SIDE, "channels": CHANNELS, "classes": CLASSES, "padding": PADDING,
    "flip": averaged([images, hflip(images)]),
    "five": averaged(ten_crop(pad(images, [PADDING]), [SIDE])),
}
pathlib.Path(__file__).with_name("tta.json").write_text(json.dumps(result) + "\n")
