"""Logits of torchvision's published MobileNetV2 for real images, for test/models/published-real.test.ts.

    python3 test/reference/published-logits.py mobilenet_v2-b0353104.pth CIFAR10    # PyTorch 1.13.0, Pillow 9.4

CIFAR10 has test/CLASS/*.jpg. Each pixel becomes 4x4, and is normalised by ImageNet's statistics; computed in float64 by the
network of published.py, which is written from the paper.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

from published import MobileNetV2

weights, root = sys.argv[1], pathlib.Path(sys.argv[2])
net = MobileNetV2(1, 1000)
net.load_state_dict(torch.load(weights, map_location="cpu"), strict=True)
net = net.double().eval()
images = []
for name in ["airplane", "automobile", "cat", "ship"]:
    path = sorted((root / "test" / name).glob("*.jpg"))[0]
    pixels = np.asarray(Image.open(path).convert("RGB"))
    x = pixels.repeat(4, 0).repeat(4, 1) / 255
    x = (x - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    with torch.no_grad():
        logits = net(torch.from_numpy(x).permute(2, 0, 1)[None])[0]
    print(path, int(logits.argmax()))
    images.append({"file": str(path.relative_to(root)), "sum": int(pixels.sum()), "logits": [round(v, 6) for v in logits.tolist()]})
pathlib.Path(__file__).parent.parent.joinpath("models", "published", "real.json").write_text(json.dumps(images) + "\n")
