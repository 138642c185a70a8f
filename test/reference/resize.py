"""Writes resize.json: what Pillow's Image.resize, and torchvision's Resize and CenterCrop as timm calls them, make of images,
for test/data/resize.test.ts. Small results are written whole, others as SHA-256.

pip install pillow numpy
python test/reference/resize.py > test/reference/resize.json
"""

import base64
import hashlib
import json

import numpy
import PIL
from PIL import Image

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def picture(height, width):
    """Pixels of a rule that JavaScript has too: exact in 32-bit integers, with hard edges and the extremes 0 and 255."""
    y, x, c = numpy.meshgrid(*[numpy.arange(n, dtype=numpy.int64) for n in (height, width, 3)], indexing="ij")
    mixed = (y * 73856093 ^ x * 19349663 ^ (c + 1) * 83492791) & 0xFFFFFFFF
    noise = (mixed >> 7) & 63
    edge = numpy.where(((x >> 3) + (y >> 2) + c) % 3 == 0, 255, 0)
    return numpy.where((x + y) % 5 == 0, edge, (noise + 3 * x + 2 * y + 40 * c) & 255).astype(numpy.uint8)


def of(array):
    content = numpy.ascontiguousarray(array).tobytes()
    small = len(content) <= 3000
    return {"bytes": base64.b64encode(content).decode()} if small else {"sha256": hashlib.sha256(content).hexdigest()}


def resized(height, width, to_height, to_width, name):
    image = Image.fromarray(picture(height, width))
    result = numpy.asarray(image.resize((to_width, to_height), FILTERS[name]))
    return {"from": [height, width], "to": [to_height, to_width], "interpolation": name, **of(result)}


def evaluated(height, width, resize, crop, name):
    """torchvision.transforms.functional.resize with one number, else timm's ResizeKeepRatio; then center_crop."""
    if resize[0] == resize[1]:
        short, long = (width, height) if width <= height else (height, width)
        scaled = [resize[0], int(resize[0] * long / short)]
        size = scaled if width <= height else scaled[::-1]
    else:
        ratio = min(height / resize[0], width / resize[1])
        size = [round(width / ratio), round(height / ratio)]
    image = Image.fromarray(picture(height, width))
    image = image if image.size == tuple(size) else image.resize(size, FILTERS[name])
    top, left = int(round((size[1] - crop[0]) / 2.0)), int(round((size[0] - crop[1]) / 2.0))
    result = numpy.asarray(image.crop((left, top, left + crop[1], top + crop[0])))
    where = {"size": size[::-1], "top": top, "left": left}
    return {"from": [height, width], "resize": resize, "crop": crop, "interpolation": name, **where, **of(result)}


SIZES = [
    (21, 26, 8, 8), (21, 26, 21, 26), (21, 26, 40, 31), (21, 26, 5, 50), (21, 26, 1, 1), (1, 1, 7, 5), (2, 3, 9, 4),
    (37, 53, 36, 54), (300, 400, 224, 299), (601, 799, 64, 85), (1024, 33, 17, 224), (480, 640, 480, 320),
    (480, 640, 240, 640), (1511, 2016, 256, 341),
]
CROPS = [
    (300, 400, [256, 256], [224, 224]), (400, 300, [235, 235], [224, 224]), (333, 500, [235, 235], [224, 224]),
    (501, 333, [248, 248], [224, 224]), (33, 47, [256, 256], [224, 224]), (224, 224, [224, 224], [224, 224]),
    (480, 640, [256, 256], [224, 192]), (640, 427, [200, 150], [192, 144]), (427, 640, [200, 150], [189, 141]),
    (97, 131, [32, 32], [32, 32]), (32, 32, [36, 36], [31, 31]),
]
print(
    json.dumps(
        {
            "versions": {"pillow": PIL.__version__, "numpy": numpy.__version__},
            "resize": [resized(*size, name) for size in SIZES for name in FILTERS],
            "evaluation": [evaluated(*crop, name) for crop in CROPS for name in FILTERS],
        }
    )
)
