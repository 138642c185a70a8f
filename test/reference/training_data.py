"""Images, labels and what the host decides in each step of training.py."""

import math

import numpy as np

from noise import noise

B, SIDE, CLASSES, STEPS, EPOCH = 16, 16, 10, 10, 5
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]
COUNTS = [29, 18, 11, 7, 5, 4, 2, 2, 1, 1]
STAGES = ["input", "stage1", "stage2", "stage3", "pool"]
N = sum(COUNTS)
assert N == B * EPOCH

generator = np.random.default_rng(3)
in_class_order = [c for c, n in enumerate(COUNTS) for _ in range(n)]
labels = [in_class_order[row * 37 % N] for row in range(N)]


def patch(share):
    """A box of about that share, clipped at the border, and what it leaves."""
    side = int(SIDE * math.sqrt(share))
    y, x = (int(value) for value in generator.integers(0, SIDE, 2))
    top, bottom, left, right = (min(max(v, 0), SIDE) for v in (y - side // 2, y + side // 2, x - side // 2, x + side // 2))
    return {"top": top, "bottom": bottom, "left": left, "right": right}


def kept(box):
    return 1 - (box["bottom"] - box["top"]) * (box["right"] - box["left"]) / SIDE**2


# What the host decides in each step.
steps = []
for _ in range(STEPS):
    share = round(float(generator.beta(1, 1)), 3)
    steps.append(
        {
            "pair": generator.permutation(B).tolist(),
            "lambda": share,
            "lambdas": [round(float(v), 3) for v in generator.beta(1, 1, B)],
            "box": patch(1 - share),
            "stage": STAGES[int(generator.integers(len(STAGES)))],
        }
    )


def image(row):
    """uint8 [side, side, 3]: 4x4 coloured fields under noise."""
    fields = noise(f"fields{row}", 4 * 4 * 3).astype(np.float64).reshape(4, 4, 3).repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)
    fine = noise(f"fine{row}", SIDE * SIDE * 3).astype(np.float64).reshape(SIDE, SIDE, 3)
    return np.floor((fields * 0.75 + fine * 0.25 + 1) * 128).astype(np.uint8)


images = np.stack([image(row) for row in range(N)])
