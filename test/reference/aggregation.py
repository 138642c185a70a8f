"""Reference numbers for test/plugins/aggregation: SADE's shares of experts, learnt at test time, by PyTorch's autograd and SGD in float64.

Run: python test/reference/aggregation.py   (needs numpy, torch; writes aggregation.json beside itself)

Written from section 4.2 of the paper with the numbers of the authors' config: w = (1/K, ...), softmax(w) mixes the logits of K experts, the
loss is minus the mean cosine of both views' softmax, SGD of 0.1, momentum 0.9 (Nesterov), weight decay 5e-4, 5 epochs; it ends after an
epoch that leaves a share below 0.05. The order of an epoch's images is that of the case: i -> (a * i + epoch) mod N. Views are new in each epoch.

Images have a true class, which the first view shows; an expert is as sure of it as its factor says, and noise that
differs by view moves its logits as far as its other factor says.
"""

import json
import pathlib

import numpy as np
import torch
from torch.nn import functional as F

from noise import noise

torch.set_default_dtype(torch.float64)


def logits(case, epoch, view, k):
    n, c = case["images"], case["classes"]
    true = np.arange(n) % c
    sure, moved = case["experts"][k]
    found = noise(f"aggregation{epoch}{view}{k}{n}", n * c).reshape(n, c) * np.float32(moved)
    found[np.arange(n), true] += np.float32(sure)
    return torch.tensor(found.astype(np.float64))


def stability(views, shares, rows):
    mixed = [torch.stack([share * one[rows] for share, one in zip(shares, view)]).sum(0) for view in views]
    return F.cosine_similarity(F.softmax(mixed[0], 1), F.softmax(mixed[1], 1), dim=1).mean()


def fit(case):
    n, experts = case["images"], len(case["experts"])
    w = torch.full((experts,), 1 / experts, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    slopes = None
    epochs = 0
    for epoch in range(5):
        views = [[logits(case, epoch, view, k) for k in range(experts)] for view in (1, 2)]
        order = torch.tensor([(case["stride"] * i + epoch) % n for i in range(n)])
        for rows in order.split(case["batch"]):
            shares = torch.softmax(w, 0)
            shares.retain_grad()
            optimizer.zero_grad()
            (-stability(views, shares, rows)).backward()
            slopes = slopes if slopes is not None else (-shares.grad).tolist()
            optimizer.step()
        epochs += 1
        if (torch.softmax(w, 0) < 0.05).any():
            break
    shares = torch.softmax(w, 0).detach()
    return {"slopes": slopes, "shares": shares.tolist(), "epochs": epochs, "stability": float(stability(views, shares, torch.arange(n)))}


# Of an expert how sure it is of the true class, and how far its logits move from one view to the other.
cases = [
    {"name": "one expert is surer and steadier", "images": 700, "classes": 10, "batch": 128, "stride": 3, "experts": [[1, 1], [1.5, 1], [4, 1]]},
    {"name": "two experts", "images": 130, "classes": 12, "batch": 32, "stride": 7, "experts": [[3, 2], [2, 3]]},
    {"name": "alike", "images": 256, "classes": 20, "batch": 64, "stride": 5, "experts": [[2, 1], [2, 1], [2, 1]]},
    {"name": "three classes, and it falls onto one expert", "images": 1300, "classes": 3, "batch": 16, "stride": 11, "experts": [[1.5, 1], [0.5, 12], [0.2, 9]]},
]
for case in cases:
    case |= fit(case)
pathlib.Path(__file__).with_name("aggregation.json").write_text(json.dumps({"cases": cases}) + "\n")
