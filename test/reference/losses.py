"""Losses and their gradients with respect to the logits, each written from its paper's formula.

Writes losses.json. Needs PyTorch, in double precision; gradients by autograd, except that every probability is written
out, so that nothing but exp, log and sums is shared with another implementation.

Six samples, five classes. Three reductions of each loss: `plain` (no mixing, no class weights, mean over the batch),
and mixed samples with class weights, per label a weight  l_i w[y_i]  and  (1 - l_i) w[y_j],  divided by their sum
(`weighted-mean`) or by the batch size (`mean`).
"""

import json
import math
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)

counts = [200, 80, 30, 9, 2]
labels = [0, 1, 4, 3, 2, 4]
pair = [2, 1, 0, 5, 3, 1]
label_weight = [0.25, 1.0, 0.0, 0.75, 0.5, 0.125]
class_weights = [0.25, 0.5, 1.0, 1.25, 2.0]
logits = [
    [2.0, 0.5, -1.0, 0.25, 0.0],
    [1.0, -1.5, 0.75, -0.5, 2.5],
    [0.5, -2.0, 3.0, 1.0, -1.25],
    [-1.0, 2.0, 0.0, 0.5, 1.5],
    [0.0, 1.0, 1.25, -3.0, 0.75],
    [3.0, 0.25, -2.0, 1.0, -0.5],
]
cosines = [[z / 4 for z in row] for row in logits]
# |noise| of GCL, given.
noise = [
    [0.125, 0.5, 0.0, 1.0, 0.25],
    [0.375, 0.25, 0.75, 0.5, 0.0],
    [0.0, 0.625, 0.25, 0.125, 0.875],
    [1.0, 0.0, 0.5, 0.25, 0.375],
    [0.25, 0.75, 0.125, 0.0, 0.5],
    [0.5, 0.125, 1.0, 0.375, 0.625],
]

C = len(counts)
N = sum(counts)
n = torch.tensor(counts, dtype=torch.float64)
pi = n / N


def softmax(z):
    e = torch.exp(z - z.max())
    return e / e.sum()


def cross_entropy(z, y, i):
    return -torch.log(softmax(z)[y])


def focal(gamma):
    # Lin et al. 2017, eq. 4, p being the softmax probability of the label.
    def term(z, y, i):
        p = softmax(z)[y]
        return -((1 - p) ** gamma) * torch.log(p)

    return term


def focal_sigmoid(gamma, rare_bias):
    # Lin et al. 2017, eq. 4, over C binary classifiers (Cui et al. 2019, eq. 12), bias log(pi / (1 - pi)), pi = 1/C.
    def term(z, y, i):
        bias = math.log((1 / C) / (1 - 1 / C)) if rare_bias else 0.0
        total = 0
        for c in range(C):
            p = 1 / (1 + torch.exp(-(z[c] + bias)))
            p_t = p if c == y else 1 - p
            total = total - (1 - p_t) ** gamma * torch.log(p_t)
        return total

    return term


def ldam(max_margin, s, head_scale=1.0):
    # Cao et al. 2019, eq. 13: only the numerator's and its own denominator term carry the margin.
    raw = [c ** -0.25 for c in counts]
    margins = [m * max_margin / max(raw) for m in raw]

    def term(z, y, i):
        cos = z / head_scale
        own = torch.exp(s * (cos[y] - margins[y]))
        others = sum(torch.exp(s * cos[c]) for c in range(C) if c != y)
        return -torch.log(own / (own + others))

    return term


def balanced_softmax(z, y, i):
    # Ren et al. 2020, eq. 4.
    e = n * torch.exp(z)
    return -torch.log(e[y] / e.sum())


def logit_adjustment(tau):
    # Menon et al. 2021, eq. 10: log(1 + sum over y' != y of (pi_y' / pi_y)^tau exp(z_y' - z_y)).
    def term(z, y, i):
        return torch.log(1 + sum((pi[c] / pi[y]) ** tau * torch.exp(z[c] - z[y]) for c in range(C) if c != y))

    return term


def cdt(gamma):
    # Ye et al. 2020, eq. 5: a_c = (N_max / N_c)^gamma.
    def term(z, y, i):
        a = (n.max() / n) ** gamma
        e = torch.exp(z / a)
        return -torch.log(e[y] / e.sum())

    return term


def vs(gamma, tau):
    # Kini et al. 2021, eq. 4 with the parameters of section 4.
    def term(z, y, i):
        delta = (n / n.max()) ** gamma
        e = torch.exp(delta * z + tau * torch.log(pi))
        return -torch.log(e[y] / e.sum())

    return term


def gcl(factor, margin, s):
    # Li et al. 2022 as released: clouds of (log n_max - log n_c) / max, the label's own margin beside.
    def term(z, y, i):
        size = (torch.log(n.max()) - torch.log(n)) / (torch.log(n.max()) - torch.log(n.min()))
        clouded = z - factor * torch.tensor(noise[i]) * size
        clouded = clouded - margin * torch.tensor([1.0 if c == y else 0.0 for c in range(C)])
        return -torch.log(softmax(s * clouded)[y])

    return term


def logit_norm(tau):
    # Wei et al. 2022, LogitNorm.
    def term(z, y, i):
        return -torch.log(softmax(z / (tau * torch.sqrt((z * z).sum())))[y])

    return term


def reduced(term, inputs, how):
    z = torch.tensor(inputs, requires_grad=True)
    total = norm = 0
    for i, y in enumerate(labels):
        if how == "plain":
            total, norm = total + term(z[i], y, i), norm + 1
            continue
        other = labels[pair[i]]
        a = label_weight[i] * class_weights[y]
        b = (1 - label_weight[i]) * class_weights[other]
        total = total + a * term(z[i], y, i) + b * term(z[i], other, i)
        norm += a + b if how == "weighted-mean" else 1
    loss = total / norm
    loss.backward()
    return {"loss": loss.item(), "gradient": [round(g, 10) for row in z.grad.tolist() for g in row]}


cases = [
    ("cross-entropy", {}, cross_entropy, logits, 1),
    ("focal", {"gamma": 2}, focal(2), logits, 1),
    ("focal", {"gamma": 0.5}, focal(0.5), logits, 1),
    ("focal", {"gamma": 0}, focal(0), logits, 1),
    ("focal-sigmoid", {"gamma": 2}, focal_sigmoid(2, True), logits, 1),
    ("focal-sigmoid", {"gamma": 0.5, "initialBias": "none"}, focal_sigmoid(0.5, False), logits, 1),
    ("ldam", {}, ldam(0.5, 30), cosines, 1),
    ("ldam", {"maxMargin": 0.3, "scale": 10}, ldam(0.3, 10, 4.0), logits, 4),
    ("balanced-softmax", {}, balanced_softmax, logits, 1),
    ("logit-adjustment", {}, logit_adjustment(1), logits, 1),
    ("logit-adjustment", {"tau": 1.5}, logit_adjustment(1.5), logits, 1),
    ("cdt", {"gamma": 0.3}, cdt(0.3), logits, 1),
    ("vs", {"gamma": 0.15, "tau": 1.25}, vs(0.15, 1.25), logits, 1),
    ("logit-norm", {"tau": 0.5}, logit_norm(0.5), logits, 1),
    ("logit-norm", {}, logit_norm(0.04), logits, 1),
    ("gcl", {}, gcl(0.5, 0, 30), cosines, 1),
    ("gcl", {"noise": 1, "margin": 0.1, "scale": 10}, gcl(1, 0.1, 10), cosines, 1),
]

result = {
    "classCounts": counts,
    "labels": labels,
    "pair": pair,
    "labelWeight": label_weight,
    "classWeights": class_weights,
    "noise": [v for row in noise for v in row],
    "cases": [
        {
            "plugin": plugin,
            "options": options,
            "headScale": head_scale,
            "logits": [v for row in inputs for v in row],
            **{how: reduced(term, inputs, how) for how in ("plain", "weighted-mean", "mean")},
        }
        for plugin, options, term, inputs, head_scale in cases
    ],
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
for case in result["cases"]:
    print(case["plugin"], case["options"], *(case[how]["loss"] for how in ("plain", "weighted-mean", "mean")))
