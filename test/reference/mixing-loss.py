"""Loss and gradients of mixed and smoothed batches, written from the papers' formulas in PyTorch, float64.

Writes mixing-loss.json. Needs torch. A network of two hidden layers (tanh) on images of 4 x 6 x 1, three classes with
300, 100 and 20 training images. Rows 0-5 are trained, rows 6-11 are an extra draw.

  mixup, manifold   h~ = lambda h_i + (1 - lambda) h_j at the input or after a hidden layer
  cutmix, cmo       x~ = M * x_i + (1 - M) * x_j, lambda = share of M
  remix             eq. 10 on that lambda
  mamix             the reference code's form, with lambda' = 1 - lambda as weight of the partner
  labels            y~ = lambda_y e_i + (1 - lambda_y) e_j as a soft target; class weights act on each of the two labels
  regmixup          the loss of rows 0-5 as they are, with their own labels, plus eta times that of the mixed rows
  infinite          each pair has a classifier of its own, mixed from those of its classes by the weights of its labels; cross-entropy of
                    the B x B outputs along both axes
  smoothing         q = (1 - eps) e_y + eps / C as a soft target; label-aware: eps of each class from MiSLAS, eq. 8
"""

import json
import math
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(5)
H, W, C, B = 4, 6, 3, 6
counts = [300, 100, 20]
class_weights = [0.25, 0.5, 2.25]
mean, std = 0.45, 0.25


def draw(*shape, scale=1.0):
    return (torch.randn(*shape, generator=generator) * scale).mul(1e4).round().div(1e4)


images = torch.randint(0, 256, (12, H, W, 1), generator=generator)
labels = [0, 1, 2, 0, 1, 2, 2, 1, 0, 2, 2, 1]
weights = {
    "layer1/kernel": draw(H * W, 5, scale=0.3),
    "layer2/kernel": draw(5, 4, scale=0.6),
    "classifier/kernel": draw(4, C, scale=0.8),
    "classifier/bias": draw(C, scale=0.5),
}


def smoothing(rule):
    """q for each class, [C, C]."""
    if rule is None:
        eps = torch.zeros(C)
    elif rule["kind"] == "even":
        eps = torch.full((C,), rule["epsilon"])
    else:
        head, tail = rule["head"], rule["tail"]
        n1, nK = max(counts), min(counts)
        eps = torch.tensor([tail + (head - tail) * math.sin(math.pi * (n - nK) / (2 * (n1 - nK))) for n in counts])
    return (1 - eps)[:, None] * torch.eye(C) + eps[:, None] / C


def label_weight(rule, lam, ni, nj):
    if rule == "remix":
        if ni / nj >= 3 and lam < 0.5:
            return 0.0
        if ni / nj <= 1 / 3 and 1 - lam < 0.5:
            return 1.0
        return lam
    if rule == "mamix":
        ki, kj = ni**-0.25, nj**-0.25
        t, partner = ki / (ki + kj), 1 - lam
        return 1 - 0.5 * partner / t if partner < t else 0.5 * (1 - partner) / (1 - t)
    return lam


def run(case):
    parameters = {name: value.clone().requires_grad_() for name, value in weights.items()}
    x = (images.double() / 255 - mean) / std
    pair, stage, box = case["pair"], case["stage"], case["box"]
    lam = torch.tensor(case["lambda"])

    def mixed(h, at):
        if stage != at:
            return h
        own, other = h[:B], h[pair]
        if box is not None:
            keep = torch.ones(1, H, W, 1)
            keep[:, box["top"] : box["bottom"], box["left"] : box["right"]] = 0
            return keep * own + (1 - keep) * other
        share = lam.reshape(B, *[1] * (h.dim() - 1))
        return share * own + (1 - share) * other

    h = mixed(x, "input")
    h = mixed(torch.tanh(h.flatten(1) @ parameters["layer1/kernel"]), "stage1")
    h = mixed(torch.tanh(h @ parameters["layer2/kernel"]), "stage2")
    classify = lambda h: (h @ parameters["classifier/kernel"] + parameters["classifier/bias"]).log_softmax(1)
    log_p = classify(h[:B])
    eta = case["eta"]
    plain = classify(torch.tanh(torch.tanh(x[:B].flatten(1) @ parameters["layer1/kernel"]) @ parameters["layer2/kernel"]))

    q = smoothing(case["smoothing"])
    vectors, offsets, pair_weights = [], [], []
    total, mass, shares = 0.0, 0.0, []
    for i in range(B):
        yi, yj = labels[i], labels[pair[i]]
        share = label_weight(case["rule"], case["lambda"][i], counts[yi], counts[yj])
        shares.append(share)
        own = share * (class_weights[yi] if case["weighted"] else 1)
        other = (1 - share) * (class_weights[yj] if case["weighted"] else 1)
        target = own * q[yi] + other * q[yj]
        if case["infinite"]:
            columns = parameters["classifier/kernel"].T
            vectors.append((own * columns[yi] + other * columns[yj]) / (own + other))
            bias = parameters["classifier/bias"]
            offsets.append((own * bias[yi] + other * bias[yj]) / (own + other))
            pair_weights.append(own + other)
            mass += own + other
            continue
        total = total - (eta or 1) * (target * log_p[i]).sum()
        if eta is not None:
            total = total - (class_weights[yi] if case["weighted"] else 1) * (q[yi] * plain[i]).sum()
        mass += own + other
    if case["infinite"]:
        outputs = h[:B] @ torch.stack(vectors).T + torch.stack(offsets)
        both = torch.log_softmax(outputs, 1).diag() + torch.log_softmax(outputs, 0).diag()
        total = -(torch.tensor(pair_weights) * both).sum()
    loss = total / (mass if case["reduction"] == "weighted-mean" else B)
    loss.backward()
    return {
        **case,
        "labelWeight": shares,
        "loss": loss.item(),
        "gradients": {name: value.grad.flatten().tolist() for name, value in parameters.items()},
    }


def case(name, plugins, stage=None, lam=1.0, box=None, rule=None, smoothing=None, weighted=False, reduction="mean", pair=None, eta=None, infinite=False):
    if box is not None:
        lam = 1 - (box["bottom"] - box["top"]) * (box["right"] - box["left"]) / (H * W)
    if pair is None:
        pair = [1, 2, 3, 0, 4, 1] if stage else list(range(B))
    return {
        "name": name,
        "plugins": plugins,
        "stage": stage,
        "lambda": lam if isinstance(lam, list) else [lam] * B,
        "pair": pair,
        "box": box,
        "rule": rule,
        "smoothing": smoothing,
        "eta": eta,
        "infinite": infinite,
        "weighted": weighted,
        "reduction": reduction,
    }


drawn = [6, 7, 8, 9, 10, 11]
patch = {"top": 1, "bottom": 4, "left": 0, "right": 5}
each = [0.1, 0.25, 0.5, 0.75, 0.9, 0.375]
even = {"kind": "even", "epsilon": 0.1}
aware = {"kind": "aware", "head": 0.3, "tail": 0.05}
stages = ["input", "stage1", "stage2"]
cases = [
    case("no mixing", []),
    case("Mixup, one lambda", ["mixup"], "input", 0.3),
    case("Mixup, a lambda each", ["mixup"], "input", each),
    case("Remix", ["mixup", "remix"], "input", 0.3, rule="remix"),
    case("Remix, class weights, weighted mean", ["mixup", "remix"], "input", each, rule="remix", weighted=True, reduction="weighted-mean"),
    case("MAMix", ["mixup", "mamix"], "input", each, rule="mamix"),
    case("CutMix", ["cutmix"], "input", box=patch),
    case("Remix-CM, class weights", ["cutmix", "remix"], "input", box=patch, rule="remix", weighted=True),
    case("CMO", ["cmo"], "input", box=patch, pair=drawn),
    case("Remix on CMO", ["cmo", "remix"], "input", box=patch, pair=drawn, rule="remix"),
    case("Balanced-MixUp", ["balanced-mixup"], "input", 0.8, pair=drawn),
    case("UniMix", ["unimix"], "input", each, pair=[2, 5, 2, 1, 5, 2]),
    *[case(f"Manifold Mixup, {stage}", ["manifold-mixup"], stage, 0.3) for stage in stages],
    *[case(f"Remix-MM, {stage}, class weights, weighted mean", ["manifold-mixup", "remix"], stage, each, rule="remix", weighted=True, reduction="weighted-mean") for stage in stages],
    case("MAMix on CutMix", ["cutmix", "mamix"], "input", box=patch, rule="mamix"),
    case("label smoothing", ["label-smoothing"], smoothing=even),
    case("label smoothing on Mixup", ["mixup", "label-smoothing"], "input", 0.3, smoothing=even),
    case("label-aware smoothing", ["label-aware-smoothing"], smoothing=aware),
    case("label-aware smoothing on Remix, class weights", ["mixup", "remix", "label-aware-smoothing"], "input", 0.3, rule="remix", smoothing=aware, weighted=True, reduction="weighted-mean"),
    case("RegMixup", ["mixup", "regmixup"], "input", 0.3, eta=1.0),
    case("RegMixup on Remix, class weights, smoothing", ["mixup", "remix", "regmixup", "label-smoothing"], "input", each, rule="remix", smoothing=even, weighted=True, reduction="weighted-mean", eta=0.7),
    case("RegMixup on Manifold Mixup", ["manifold-mixup", "regmixup"], "stage1", each, eta=2.0),
    case("Infinite Class Mixup", ["mixup", "infinite-class-mixup"], "input", each, infinite=True),
    case("Infinite Class Mixup on Remix, class weights", ["mixup", "remix", "infinite-class-mixup"], "input", each, rule="remix", weighted=True, reduction="weighted-mean", infinite=True),
    case("Infinite Class Mixup on Remix-MM", ["manifold-mixup", "remix", "infinite-class-mixup"], "stage1", 0.3, rule="remix", infinite=True),
    case("RegMixup on Remix and CMO", ["cmo", "remix", "regmixup"], "input", box=patch, pair=drawn, rule="remix", eta=0.5),
]
result = {
    "imageShape": [H, W, 1],
    "mean": mean,
    "std": std,
    "classCounts": counts,
    "classWeights": class_weights,
    "images": images.flatten().tolist(),
    "labels": labels,
    "weights": {name: {"shape": list(value.shape), "values": value.flatten().tolist()} for name, value in weights.items()},
    "cases": [run(one) for one in cases],
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result) + "\n")
for one in result["cases"]:
    print(f'{one["loss"]:.6f}  {one["name"]}')
