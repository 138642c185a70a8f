"""Reference numbers for test/step/optimizers, from torch.optim in float64 (written with torch 2.12).

Run: python test/reference/optimizers.py   (needs torch and numpy; writes optimizers.json beside itself)

Two weights take ten steps. Gradients come from the formula of models.py: that of step t is noise("gradient<t>/<name>");
the learning rate falls by a tenth from step to step.
"""

import json
import pathlib
import re

import torch

from noise import noise

SHAPES = {"a": (3, 4), "b": (5,)}
STEPS, LEARNING_RATE = 10, 0.1

CASES = [
    ({"name": "sgd", "momentum": 0, "weightDecay": 0}, lambda p: torch.optim.SGD(p, lr=1)),
    ({"name": "sgd", "momentum": 0.9, "weightDecay": 0.02}, lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, weight_decay=0.02)),
    (
        {"name": "sgd", "momentum": 0.9, "nesterov": True, "weightDecay": 0.02},
        lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, nesterov=True, weight_decay=0.02),
    ),
    ({"name": "adamw", "weightDecay": 0.05}, lambda p: torch.optim.AdamW(p, lr=1, weight_decay=0.05)),
    (
        {"name": "adamw", "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0},
        lambda p: torch.optim.AdamW(p, lr=1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0),
    ),
]


def tensor(key, shape):
    return torch.from_numpy(noise(key, torch.Size(shape).numel()).reshape(shape)).double()


def run(options, make):
    weights = {name: torch.nn.Parameter(tensor(name, shape)) for name, shape in SHAPES.items()}
    optimizer = make(weights.values())
    for step in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.9 ** (step - 1)
        for name, weight in weights.items():
            weight.grad = tensor(f"gradient{step}/{name}", SHAPES[name])
        optimizer.step()
    return {"options": options, "weights": {k: [float(f"{v:.9g}") for v in w.detach().flatten()] for k, w in weights.items()}}


result = {
    "torch": torch.__version__.split("+")[0],
    "steps": STEPS,
    "learningRate": LEARNING_RATE,
    "shapes": SHAPES,
    "cases": [run(*case) for case in CASES],
}
text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", json.dumps(result, indent=1))
pathlib.Path(__file__).with_name("optimizers.json").write_text(text + "\n")
