"""Reference numbers for test/models/tuning: ten steps of a tiny Vision Transformer in PyTorch, float64 (written with torch 1.13).

Run: python test/reference/tuning.py [--width 12] [--depth 2] [--out FILE]   (needs torch and numpy; without --out, writes
tuning.json beside itself)

Full fine-tuning, AdaptFormer, LoRA and BitFit, from the formulas of their papers; SGD with momentum and weight decay. First
values are noise by the weight's name, those that a method begins with at zero too, so that every gradient counts.
Images have 32 pixels a side, patches 16.
"""

import argparse
import json
import pathlib
import re

import numpy as np
import torch
from torch.nn import functional as F

from noise import noise

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=12)
parser.add_argument("--depth", type=int, default=2)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).with_name("tuning.json"))
options = parser.parse_args()

WIDTH, DEPTH, HEADS, CLASSES, BATCH, STEPS = options.width, options.depth, 3, 5, 6, 10
RATE, MOMENTUM, DECAY = 0.05, 0.9, 5e-4
MEAN, STD = 0.5, 0.25
RANK = 4

images = np.floor((noise("images", BATCH * 32 * 32 * 3).astype(np.float64) + 1) * 128).reshape(BATCH, 32, 32, 3)
labels = [0, 1, 2, 3, 4, 0]


def first(name, shape):
    values = noise(name, int(np.prod(shape))).astype(np.float64).reshape(shape)
    # Narrow kernels keep the committed numbers; wide ones have smaller values, so that softmax is not saturated.
    scale = (12 / WIDTH) ** 0.5 / 4 if name.endswith("/kernel") else 1 / 4
    return (1 if name.endswith("/scale") else 0) + values * scale


def base_shapes():
    shapes = {"embed/patch/kernel": (16, 16, 3, WIDTH), "embed/patch/bias": (WIDTH,)}
    shapes |= {"embed/class": (1, 1, WIDTH), "embed/class-position": (1, 1, WIDTH), "embed/position": (1, 2, 2, WIDTH)}
    for b in range(1, DEPTH + 1):
        for part, size in [("attention/query", 1), ("attention/key", 1), ("attention/value", 1), ("attention/project", 1)]:
            shapes |= {f"block{b}/{part}/kernel": (WIDTH, size * WIDTH), f"block{b}/{part}/bias": (size * WIDTH,)}
        shapes |= {f"block{b}/mlp/expand/kernel": (WIDTH, 4 * WIDTH), f"block{b}/mlp/expand/bias": (4 * WIDTH,)}
        shapes |= {f"block{b}/mlp/project/kernel": (4 * WIDTH, WIDTH), f"block{b}/mlp/project/bias": (WIDTH,)}
        for n in (1, 2):
            shapes |= {f"block{b}/norm{n}/scale": (WIDTH,), f"block{b}/norm{n}/shift": (WIDTH,)}
    shapes |= {"norm/scale": (WIDTH,), "norm/shift": (WIDTH,)}
    return shapes | {"classifier/kernel": (WIDTH, CLASSES), "classifier/bias": (CLASSES,)}


def adaptformer_shapes():
    shapes = {}
    for b in range(1, DEPTH + 1):
        at = f"adaptformer/block{b}/mlp"
        shapes |= {f"{at}/norm/scale": (WIDTH,), f"{at}/norm/shift": (WIDTH,), f"{at}/scale": (1,)}
        shapes |= {f"{at}/down/kernel": (WIDTH, RANK), f"{at}/down/bias": (RANK,)}
        shapes |= {f"{at}/up/kernel": (RANK, WIDTH), f"{at}/up/bias": (WIDTH,)}
    return shapes


def lora_shapes():
    ats = [f"lora/block{b}/attention/{part}" for b in range(1, DEPTH + 1) for part in ("query", "value")]
    return {f"{at}/{ab}": shape for at in ats for ab, shape in (("a", (WIDTH, RANK)), ("b", (RANK, WIDTH)))}


def logits(w, x, method):
    def linear(x, name):
        y = x @ w[f"{name}/kernel"] + w[f"{name}/bias"]
        at = f"lora/{name}"
        return y + x @ w[f"{at}/a"] @ w[f"{at}/b"] / RANK if f"{at}/a" in w else y

    def norm(x, name, eps=1e-6):
        return F.layer_norm(x, (WIDTH,), w[f"{name}/scale"], w[f"{name}/shift"], eps)

    def heads(x):
        return x.reshape(BATCH, -1, HEADS, WIDTH // HEADS).transpose(1, 2)

    kernel = w["embed/patch/kernel"].permute(3, 2, 0, 1)
    patches = F.conv2d(x.permute(0, 3, 1, 2), kernel, w["embed/patch/bias"], stride=16).flatten(2).transpose(1, 2)
    patches = patches + w["embed/position"].reshape(1, -1, WIDTH)
    token = (w["embed/class"] + w["embed/class-position"]).expand(BATCH, 1, WIDTH)
    x = torch.cat([token, patches], 1)
    for b in range(1, DEPTH + 1):
        h = norm(x, f"block{b}/norm1")
        q, k, v = (heads(linear(h, f"block{b}/attention/{part}")) for part in ("query", "key", "value"))
        scores = (q @ k.transpose(2, 3) / (WIDTH // HEADS) ** 0.5).softmax(-1)
        x = x + linear((scores @ v).transpose(1, 2).reshape(BATCH, -1, WIDTH), f"block{b}/attention/project")
        h = F.gelu(linear(norm(x, f"block{b}/norm2"), f"block{b}/mlp/expand"))
        branch = linear(h, f"block{b}/mlp/project")
        if method == "adaptformer":
            at = f"adaptformer/block{b}/mlp"
            low = F.relu(norm(x, f"{at}/norm", 1e-5) @ w[f"{at}/down/kernel"] + w[f"{at}/down/bias"])
            branch = branch + (low @ w[f"{at}/up/kernel"] + w[f"{at}/up/bias"]) * w[f"{at}/scale"]
        x = x + branch
    return norm(x[:, 0], "norm") @ w["classifier/kernel"] + w["classifier/bias"]


def is_trained(name, method):
    if method == "full" or name.startswith(("classifier/", "adaptformer/", "lora/")):
        return True
    return method == "bitfit" and name.startswith("block") and name.endswith(("/bias", "/shift"))


def run(method):
    shapes = base_shapes() | {"adaptformer": adaptformer_shapes, "lora": lora_shapes}.get(method, dict)()
    weights = {n: torch.tensor(first(n, s), requires_grad=is_trained(n, method)) for n, s in shapes.items()}
    trained = {n: t for n, t in weights.items() if t.requires_grad}
    optimizer = torch.optim.SGD(trained.values(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    x = torch.tensor((images / 255 - MEAN) / STD)
    losses = []
    for _ in range(STEPS):
        loss = F.cross_entropy(logits(weights, x, method), torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    # Of each array its length, its product with noise, and its first values.
    end = {
        n: [float(t.norm()), float(t.detach().flatten() @ torch.tensor(noise(f"probe/{n}", t.numel()).astype(np.float64)))]
        + t.detach().flatten()[:3].tolist()
        for n, t in trained.items()
    }
    return {"method": method, "losses": losses, "weights": end}


result = {
    "torch": torch.__version__.split("+")[0],
    "steps": STEPS,
    "labels": labels,
    "classes": CLASSES,
    "width": WIDTH,
    "depth": DEPTH,
    "rank": RANK,
    "optimizer": {"learningRate": RATE, "momentum": MOMENTUM, "weightDecay": DECAY},
    "mean": MEAN,
    "std": STD,
    "cases": [run(method) for method in ("full", "adaptformer", "lora", "bitfit")],
}
text = json.dumps(result, indent=1)
text = re.sub(r"-?\d+\.\d+(e-?\d+)?", lambda m: f"{float(m.group(0)):.9g}", text)
text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
options.out.write_text(text + "\n")
