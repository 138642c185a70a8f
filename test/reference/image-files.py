"""Writes image-files.json: data files made without tailmix, and what they hold, for test/data/image-files.test.ts.

- CIFAR records, packed from the published layout (https://www.cs.toronto.edu/~kriz/cifar.html): label byte (CIFAR-100:
  coarse, then fine), 1024 red, 1024 green, 1024 blue, row by row
- PNG and JPEG files written and read by Pillow, and scaled by torchvision's Resize and CenterCrop
- the samples of torchvision's ImageFolder over a tree of awkward names

pip install torch torchvision pillow numpy
python test/reference/image-files.py > test/reference/image-files.json
"""

import base64
import io
import json
import os
import struct
import tempfile

import numpy
import PIL
import torchvision
from PIL import Image, ImageDraw
from torchvision import transforms

SIDE = 32


def encode(data):
    return base64.b64encode(data).decode()


def drawing(i):
    """Red from left to right, green from top to bottom, blue in a disc; a white corner shows which way is up."""
    picture = Image.new("RGB", (SIDE, SIDE))
    for y in range(SIDE):
        for x in range(SIDE):
            disc = (x - 20) ** 2 + (y - 18 + i) ** 2 < 60
            picture.putpixel((x, y), (8 * x, 8 * y, 255 if disc else 20 * i))
    ImageDraw.Draw(picture).rectangle((1, 1, 5, 3), fill="white")
    return picture


def record(labels, picture):
    pixels = picture.load()
    body = b"".join(struct.pack("B", pixels[x, y][c]) for c in range(3) for y in range(SIDE) for x in range(SIDE))
    return struct.pack(f"{len(labels)}B", *labels) + body


def cifar(labels):
    drawings = [drawing(i) for i in range(len(labels))]
    return {
        "file": encode(b"".join(record(own, picture) for own, picture in zip(labels, drawings))),
        "labels": labels,
        "images": [encode(numpy.asarray(picture).tobytes()) for picture in drawings],
    }


def image_file(kind, picture, **options):
    data = io.BytesIO()
    picture.save(data, kind, **options)
    read = Image.open(io.BytesIO(data.getvalue())).convert("RGB")
    return {
        "name": "-".join([kind.lower(), picture.mode.lower(), *map(str, options.values())]),
        "extension": {"PNG": "png", "JPEG": "jpg"}[kind],
        "shape": [read.height, read.width, 3],
        "file": encode(data.getvalue()),
        "pixels": encode(numpy.asarray(read).tobytes()),
        "scaled": {side: encode(numpy.asarray(cover(side)(read)).tobytes()) for side in (32, 16)},
    }


def cover(side):
    return transforms.Compose([transforms.Resize(side), transforms.CenterCrop(side)])


NAMES = [
    "b/2.png", "b/10.png", "b/1.PNG", "b/a.jpeg", "b/B.jpg", "b/notes.txt", "b/.hidden.png", "b/sub/0.png", "b/Sub/9.png",
    "b/sub/deeper/1.png", "a/x.webp", "a/x.bmp", "Z/1.png", "_/1.png", "ä/1.png", "é/1.png", "10/1.png", "9/1.png",
    "a b/1.png", "ab/1.png", "a-b/1.png", "鳥/1.png", "𝄞/1.png", "ﬀ/1.png",
]


def image_folder():
    with tempfile.TemporaryDirectory() as root:
        for name in NAMES:
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "w").close()
        folder = torchvision.datasets.ImageFolder(root)
        samples = [[os.path.relpath(path, root), label] for path, label in folder.samples]
        return {"names": NAMES, "classes": folder.classes, "samples": samples}


photo = drawing(1).resize((75, 50), Image.Resampling.BICUBIC)
print(
    json.dumps(
        {
            "versions": {"torchvision": torchvision.__version__, "pillow": PIL.__version__},
            "cifar10": cifar([[7], [0], [9]]),
            "cifar100": cifar([[19, 99], [0, 0], [4, 42]]),
            "files": [
                image_file("PNG", photo),
                image_file("PNG", photo.convert("L")),
                image_file("PNG", photo.convert("P", palette=Image.Palette.ADAPTIVE, colors=32)),
                image_file("JPEG", photo, quality=95, subsampling=0),
                image_file("JPEG", photo, quality=75, subsampling=2),
                image_file("JPEG", photo.convert("L"), quality=80),
            ],
            "imageFolder": image_folder(),
        },
        ensure_ascii=False,
    )
)
