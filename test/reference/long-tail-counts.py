"""Class counts of long-tailed sets, by the formula of Cao et al. (2019), LDAM-DRW imbalance_cifar.py:17-31.

python3 long-tail-counts.py > long-tail-counts.json
"""

import json

SETS = {"cifar10": (10, 5000), "cifar100": (100, 500), "cinic10": (10, 9000)}
ROWS = [
    ("cifar10", "exp", (10, 50, 100, 200)),
    ("cifar10", "step", (10, 100)),
    ("cifar100", "exp", (10, 50, 100, 200)),
    ("cifar100", "step", (10, 100)),
    ("cinic10", "exp", (10, 50, 100, 200)),
    ("cinic10", "step", (10, 50, 100, 200)),
]


def counts(classes, largest, profile, ratio):
    factor = 1 / ratio
    if profile == "exp":
        return [int(largest * factor ** (c / (classes - 1.0))) for c in range(classes)]
    half = classes // 2
    return [int(largest)] * half + [int(largest * factor)] * half


rows = [
    {"set": name, "profile": profile, "ratio": ratio, "counts": counts(*SETS[name], profile, ratio)}
    for name, profile, ratios in ROWS
    for ratio in ratios
]
print("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]")
