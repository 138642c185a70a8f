"""Losses, gradients and projections of contrastive.json, by PyTorch in float64 and loops over pairs.

Written from the equations (Zhu et al. 2022, section 3; Khosla et al. 2020, eq. 2), without matrices of masks:
python contrastive.py > contrastive.json
"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


def balanced(z, y, prototypes, tau):
    n, c = len(z), len(prototypes)
    items = list(z) + list(prototypes)
    labels = list(y) + list(range(c))
    total = 0
    for i in range(n):
        denominator = 0
        for k in range(c):
            members = [j for j in range(n + c) if labels[j] == k and j != i]
            denominator = denominator + sum(torch.exp(z[i] @ items[j] / tau) for j in members) / len(members)
        positives = [j for j in range(n + c) if labels[j] == y[i] and j != i]
        total = total - sum(z[i] @ items[j] / tau - torch.log(denominator) for j in positives) / len(positives)
    return total / n


def supervised(z, y, tau):
    n = len(z)
    total = torch.zeros(())
    for i in range(n):
        denominator = sum(torch.exp(z[i] @ z[j] / tau) for j in range(n) if j != i)
        positives = [j for j in range(n) if y[j] == y[i] and j != i]
        if positives:
            total = total - sum(z[i] @ z[j] / tau - torch.log(denominator) for j in positives) / len(positives)
    return total / n


def head(x, w):
    hidden = F.batch_norm(x @ w["hidden"], None, None, w["scale"], w["shift"], training=True)
    return F.normalize(F.relu(hidden) @ w["kernel"] + w["bias"], dim=1)


def case(rows, classes, labels, tau):
    x = torch.randn(rows, 6, requires_grad=True)
    p = torch.randn(classes, 6, requires_grad=True)
    z, prototypes = F.normalize(x, dim=1), F.normalize(p, dim=1)
    loss = balanced(z, labels, prototypes, tau)
    dx, dp = torch.autograd.grad(loss, [x, p])
    plain = supervised(F.normalize(x, dim=1), labels, tau)
    return {
        "labels": labels, "temperature": tau, "x": x.tolist(), "p": p.tolist(),
        "balanced": {"loss": loss.item(), "dx": dx.tolist(), "dp": dp.tolist()},
        "supervised": {"loss": plain.item(), "dx": torch.autograd.grad(plain, [x])[0].tolist()},
    }


w = {name: torch.randn(shape) for name, shape in
     {"hidden": (6, 5), "scale": (5,), "shift": (5,), "kernel": (5, 4), "bias": (4,)}.items()}
x = torch.randn(7, 6, requires_grad=True)
out = head(x, w)
probe = torch.randn(7, 4)
(gradient,) = torch.autograd.grad((out * probe).sum(), [x])
print(json.dumps({
    "torch": torch.__version__,
    "cases": [
        case(8, 3, [0, 1, 0, 2, 0, 1, 0, 2], 0.1),
        case(6, 4, [1, 1, 1, 1, 1, 1], 0.07),
        case(6, 5, [4, 0, 2, 4, 0, 2], 1.0),
    ],
    "single": case(5, 6, [0, 1, 2, 3, 0], 0.5),
    "head": {
        "weights": {name: value.tolist() for name, value in w.items()}, "x": x.tolist(), "out": out.tolist(),
        "probe": probe.tolist(), "dx": gradient.tolist(),
    },
}))
