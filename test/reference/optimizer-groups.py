"""Reference numbers for test/step/groups: parameter groups of torch.optim in float64 (written with torch 1.13).

Run: python test/reference/optimizer-groups.py   (needs torch and numpy; writes optimizer-groups.json beside itself)

Weights of a network with a stem, two blocks, a norm and a classifier take ten steps. Gradients come from the formula of
models.py; the learning rates of all groups fall by a tenth from step to step, as under a schedule. The groups are written
out by hand here, and so are the factors of layer-wise decay: 0.5 ** (number of layers above).
"""

import json
import pathlib
import re

import torch

from noise import noise

SHAPES = {
    "stem/kernel": (3, 4),
    "stem/bias": (4,),
    "block1/kernel": (4, 4),
    "block1/norm/scale": (4,),
    "block2/kernel": (4, 4),
    "block2/bias": (4,),
    "norm/shift": (4,),
    "classifier/kernel": (4, 3),
    "classifier/bias": (3,),
}
STEPS, BASE, DECAY = 10, 0.1, 0.02

stem = ["stem/kernel", "stem/bias"]
block1 = ["block1/kernel", "block1/norm/scale"]
block2 = ["block2/kernel", "block2/bias"]
head = ["classifier/kernel", "classifier/bias"]
spared = {"stem/bias", "block1/norm/scale", "block2/bias", "norm/shift", "classifier/bias"}

# name of the case, options of tailmix, [(weights, learning rate, weight decay)]
GROUPED = [
    (
        "groups",
        {
            "groups": [
                {"match": "block*", "learningRate": 0.01},
                {"match": "classifier", "weightDecay": 0.3},
                {"match": "backbone", "learningRate": 0, "weightDecay": 0.5},
            ]
        },
        [(block1 + block2, 0.01, DECAY), (head, BASE, 0.3), (stem + ["norm/shift"], 0, 0.5)],
    ),
    (
        "noDecay",
        {"noDecay": ["norm", "bias"], "groups": [{"match": "stem", "learningRate": 0.02, "weightDecay": 0.1}]},
        [
            (["stem/kernel"], 0.02, 0.1),
            (["stem/bias"], 0.02, 0),
            ([n for n in SHAPES if n not in spared and n not in stem], BASE, DECAY),
            ([n for n in spared if n not in stem], BASE, 0),
        ],
    ),
    (
        "layerDecay",
        {"layerDecay": 0.5, "groups": [{"match": "block2/kernel", "learningRate": 0.04}]},
        [
            (stem, BASE / 8, DECAY),
            (block1, BASE / 4, DECAY),
            (["block2/kernel"], 0.02, DECAY),
            (["block2/bias"], BASE / 2, DECAY),
            (head + ["norm/shift"], BASE, DECAY),
        ],
    ),
]

OPTIMIZERS = [
    ({"name": "sgd", "momentum": 0.9}, lambda groups: torch.optim.SGD(groups, lr=BASE, momentum=0.9)),
    ({"name": "sgd", "momentum": 0}, lambda groups: torch.optim.SGD(groups, lr=BASE)),
    ({"name": "adamw"}, lambda groups: torch.optim.AdamW(groups, lr=BASE)),
]


def tensor(key, shape):
    return torch.from_numpy(noise(key, torch.Size(shape).numel()).reshape(shape)).double()


def run(case, options, groups, own, make):
    weights = {name: torch.nn.Parameter(tensor(name, shape)) for name, shape in SHAPES.items()}
    assert sorted(name for names, *_ in groups for name in names) == sorted(SHAPES), case
    optimizer = make(
        [{"params": [weights[n] for n in names], "lr": lr, "weight_decay": decay} for names, lr, decay in groups]
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(1, STEPS + 1):
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate * 0.9 ** (step - 1)
        for name, weight in weights.items():
            weight.grad = tensor(f"gradient{step}/{name}", SHAPES[name])
        optimizer.step()
    return {
        "case": case,
        "options": {**own, "learningRate": BASE, "weightDecay": DECAY, **options},
        "weights": {k: [float(f"{v:.9g}") for v in w.detach().flatten()] for k, w in weights.items()},
    }


result = {
    "torch": torch.__version__.split("+")[0],
    "steps": STEPS,
    "shapes": SHAPES,
    "cases": [run(*grouped, *optimizer) for grouped in GROUPED for optimizer in OPTIMIZERS],
}
text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", json.dumps(result, indent=1))
pathlib.Path(__file__).with_name("optimizer-groups.json").write_text(text + "\n")
