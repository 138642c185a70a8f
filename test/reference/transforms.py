"""Writes transforms.json: what Pillow and torchvision make of one image, for test/data/transforms.test.ts.

pip install torch torchvision pillow numpy
python test/reference/transforms.py > test/reference/transforms.json
"""

import base64
import json
import math

import numpy
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import functional as F
from torchvision.transforms.autoaugment import _apply_op
from torchvision.transforms.functional import InterpolationMode

HEIGHT, WIDTH = 21, 26


def image():
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    noise = numpy.random.RandomState(0).randint(0, 40, (HEIGHT, WIDTH, 3))
    waves = [90 + 60 * numpy.sin(x / 3 + y / 5), 20 + 7 * x, 200 - 8 * y + 30 * numpy.cos(x / 2)]
    return numpy.clip(numpy.stack(waves, 2) + noise, 0, 255).astype(numpy.uint8)


pixels = image()
picture = Image.fromarray(pixels)
tensor = torch.from_numpy(pixels).permute(2, 0, 1)


def pack(array):
    array = numpy.ascontiguousarray(numpy.asarray(array))
    assert array.dtype == numpy.uint8
    return {"shape": list(array.shape), "bytes": base64.b64encode(array.tobytes()).decode()}


def of_tensor(result):
    return pack(result.permute(1, 2, 0).numpy())


def affine(matrix):
    return pack(picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST))


def lighting(coefficients):
    """Krizhevsky et al. 2012, section 4.1, with the eigenvectors as columns."""
    values = numpy.array([0.2175, 0.0188, 0.0045])
    vectors = numpy.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    shift = vectors @ (values * numpy.array(coefficients))
    return pack(numpy.clip(numpy.round(pixels + 255 * shift), 0, 255).astype(numpy.uint8))


def rand_augment(magnitude):
    space = torchvision.transforms.RandAugment()._augmentation_space(31, (HEIGHT, WIDTH))
    return {name: float(values[magnitude]) if values.ndim > 0 else float(values) for name, (values, _) in space.items()}


AUTO = torchvision.transforms.AutoAugment(torchvision.transforms.AutoAugmentPolicy.CIFAR10)
GEOMETRY = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"}


def auto_augment(pair, sign):
    """Both operations of a sub-policy, one after the other; colours on a uint8 tensor, geometry by Pillow."""
    space = AUTO._augmentation_space(10, (HEIGHT, WIDTH))
    now = tensor
    for name, _, step in pair:
        values, signed = space[name]
        magnitude = float(values[step]) if step is not None else 0.0
        magnitude *= sign if signed else 1
        value = F.to_pil_image(now) if name in GEOMETRY else now
        changed = _apply_op(value, name, magnitude, InterpolationMode.NEAREST, None)
        now = F.pil_to_tensor(changed) if name in GEOMETRY else changed
    return of_tensor(now)


result = {
    "versions": {"torchvision": torchvision.__version__, "pillow": PIL.__version__, "numpy": numpy.__version__},
    "image": pack(pixels),
    "resize": {
        f"{h}x{w}": pack(picture.resize((w, h), Image.Resampling.BILINEAR))
        for h, w in [(8, 8), (21, 26), (40, 31), (5, 50), (1, 1)]
    },
    "crop": [
        {"box": box, **pack(F.resized_crop(picture, *box, [9, 12], InterpolationMode.BILINEAR))}
        for box in [[3, 2, 15, 20], [0, 0, 4, 5], [10, 20, 11, 6]]
    ],
    "brightness": [{"factor": f, **of_tensor(F.adjust_brightness(tensor, f))} for f in [0, 0.55, 1, 1.7]],
    "contrast": [{"factor": f, **of_tensor(F.adjust_contrast(tensor, f))} for f in [0, 0.55, 1, 1.7]],
    "saturation": [{"factor": f, **of_tensor(F.adjust_saturation(tensor, f))} for f in [0, 0.55, 1, 1.7]],
    "hue": [{"factor": f, **of_tensor(F.adjust_hue(tensor, f))} for f in [-0.5, -0.13, 0.02, 0.4]],
    "lighting": [{"coefficients": c, **lighting(c)} for c in [[0.1, 0, 0], [-0.05, 0.2, 0.1]]],
    "sharpness": [{"factor": f, **of_tensor(F.adjust_sharpness(tensor, f))} for f in [0, 0.73, 1.27]],
    "posterize": [{"bits": b, **of_tensor(F.posterize(tensor, b))} for b in [4, 7, 8]],
    "solarize": [{"threshold": t, **of_tensor(F.solarize(tensor, t))} for t in [0, 100, 178.5, 255]],
    "autoContrast": of_tensor(F.autocontrast(tensor)),
    "equalize": of_tensor(F.equalize(tensor)),
    "affine": [{"matrix": m, **affine(m)} for m in [[1, 0.09, 0, 0, 1, 0], [1, 0, 0, -0.21, 1, 0], [1, 0, -3, 0, 1, 0]]],
    "rotate": [{"degrees": d, **pack(picture.rotate(d))} for d in [9, -9, 30, 77]],
    "randAugment": {str(m): rand_augment(m) for m in [0, 9, 17, 30]},
    "autoAugment": {
        "policies": AUTO.policies,
        "images": [{"plus": auto_augment(pair, 1), "minus": auto_augment(pair, -1)} for pair in AUTO.policies],
    },
}
print(json.dumps(result))
