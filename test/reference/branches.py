"""Methods with several heads, views or networks: one step each, written from the papers and the authors' code in PyTorch, float64.

Writes branches.json. Needs torch. The network, its weights and the class counts are those of two-stage.py. Rows 0-4 are
trained; further fives of rows are the groups of a method, in its order.

  glmc   rows 5-9 second views, 10-14 partners, 15-19 second views of the partners. x_1 = l x + (1 - l) x', x_2 = second view with
         the partner's patch; a (CE(fc(f_1)) + CE(fc(f_2))) + (1 - a) (the same with the model's classifier, labels times
         w = n^-q scaled to mean 1) + factor (-cos(p_1, sg z_2) - cos(p_2, sg z_1)); both CE with labels l y + (1 - l) y'; the batch norms see x_1, then x_2
  ncl    K networks: sum_k CE(z_k + log n, y) + CE(mask (z_k + log n), y) + factor / (K - 1) sum_{i != j} KL(p_j || p_i) on
         both, the mask being 1 for the classes that rank first in z_1, y before all
  lws    as in two-stage.py, with the classifier trained too: stage 2 of MiSLAS
"""

from importlib import import_module

import torch
from torch.nn import functional as F

base = import_module("two-stage")
B, C, SIDE, counts = base.B, base.C, base.SIDE, base.counts
images = torch.randint(0, 256, (4 * B, SIDE, SIDE, 2), generator=base.generator)
first, partner = [0, 1, 0, 2, 0], [2, 2, 1, 2, 0]
labels = first + first + partner + partner
x = ((images.double() / 255 - torch.tensor(base.mean)) / torch.tensor(base.std)).permute(0, 3, 1, 2)
rows = [x[k * B : (k + 1) * B] for k in range(4)]
y, y_pair = torch.tensor(first), torch.tensor(partner)
PROJECTED = 3


def linear(name, inputs, outputs):
    return {f"{name}/kernel": base.draw(inputs, outputs, scale=0.7), f"{name}/bias": base.draw(outputs, scale=0.4)}


def network():
    return {
        **base.block("stage1/block1", 2, 3),
        **base.block("stage2/block1", 3, 4),
        **linear("classifier", 4, C),
    }


extra = {
    "glmc": linear("glmc/classifier", 4, C) | linear("glmc/projection", 4, PROJECTED) | linear("glmc/predictor", PROJECTED, PROJECTED),
    "ncl": {f"ncl/{k}/{name}": value for k in (2, 3) for name, value in network().items()},
    "lws": {"lws/scale": base.draw(C, scale=0.2, shift=1)},
}


def apply(net, name, f):
    return f @ net.all[f"{name}/kernel"] + net.all[f"{name}/bias"]


def glmc(case):
    net = base.Network(extra["glmc"], lambda name: True)
    with torch.no_grad():
        predicted = net.classifier(net.features(rows[0], False))
    lam = case["lambda"]
    mask = torch.tensor(case["inputs"]["glmc/mask"]).reshape(SIDE, SIDE)
    mixed = lam * rows[0] + (1 - lam) * rows[2]
    pasted = mask * rows[1] + (1 - mask) * rows[3]
    parts = [net.features(mixed, True), net.features(pasted, True)]
    a = 1 - ((case["epoch"] - 1) / base.EPOCHS) ** 2
    w = torch.tensor([n ** -case["options"]["reweight"] for n in counts])
    w = w / w.mean()
    target = lam * F.one_hot(y, C) + (1 - lam) * F.one_hot(y_pair, C)

    def soft(z, t):
        return -(torch.log_softmax(z, 1) * t).sum(1).mean()

    conventional = sum(soft(apply(net, "glmc/classifier", part), target) for part in parts)
    rebalanced = sum(soft(net.classifier(part), target * w) for part in parts)
    loss = a * conventional + (1 - a) * rebalanced
    z = [apply(net, "glmc/projection", part) for part in parts]
    p = [apply(net, "glmc/predictor", part) for part in z]
    similar = sum(F.cosine_similarity(p[i], z[1 - i].detach(), dim=1).mean() for i in (0, 1))
    penalty = -case["options"]["weight"] * similar
    found = base.finish(case, net, loss + penalty, predicted)
    return found | {"loss": loss.item(), "penalty": penalty.item()}


def ncl(case):
    count, hard, factor = case["options"]["count"], case["hardClasses"], case["options"]["mutual"]
    more = {name: value for name, value in extra["ncl"].items() if int(name.split("/")[1]) <= count}
    net = base.Network(more, lambda name: True)

    def logits(train):
        found = []
        for own in ("", "ncl/2/", "ncl/3/")[:count]:
            f = net.block(rows[0], f"{own}stage1/block1", 1, train)
            f = net.block(f, f"{own}stage2/block1", 2, train).mean((2, 3))
            found.append(apply(net, f"{own}classifier", f))
        return found

    with torch.no_grad():
        predicted = sum(logits(False)) / count
    z = logits(True)
    balanced = [one + torch.tensor(counts).double().log() for one in z]
    mask = torch.zeros(B, C)
    for i in range(B):
        order = sorted(range(C), key=lambda c: (c != y[i], -z[0][i, c].item()))
        mask[i, order[:hard]] = 1
    masked = [one * mask for one in balanced]
    loss = sum(F.cross_entropy(one, y) for one in balanced)
    loss = loss + case["options"]["hardWeight"] * sum(F.cross_entropy(one, y) for one in masked)

    def divergence(given):
        p = [torch.softmax(one, 1) for one in given]
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        return sum(F.kl_div(p[i].log(), p[j], reduction="batchmean") for i, j in pairs) / (count - 1)

    penalty = factor * (divergence(balanced) + divergence(masked))
    found = base.finish(case, net, loss + penalty, predicted)
    return found | {"loss": loss.item(), "penalty": penalty.item()}


def lws(case):
    net = base.Network(extra["lws"], lambda name: name.startswith(("lws/", "classifier/")))

    def logits(train):
        return net.classifier(net.features(rows[0], train)) * net.all["lws/scale"]

    with torch.no_grad():
        predicted = logits(False)
    return base.finish(case, net, F.cross_entropy(logits(case["frozenNorm"] == "batch"), y), predicted)


case = base.case
box = [[1.0 if not (1 <= i < 4 and 2 <= j < 6) else 0.0 for j in range(SIDE)] for i in range(SIDE)]
mask = {"glmc/mask": sum(box, [])}
of_glmc = {"options": {"weight": 4, "reweight": 1.2, "dimension": PROJECTED}, "inputs": mask, "lambda": 0.625}
of_ncl = {"count": 3, "hard": 0.6, "hardWeight": 0.5, "mutual": 0.6}
result = base.result | {
    "images": images.flatten().tolist(),
    "labels": labels,
    "weights": {name: value.flatten().tolist() for part in (base.weights, *extra.values()) for name, value in part.items()},
    "cases": [
        case("GLMC, first epoch", glmc, "glmc", epoch=1, **of_glmc),
        case("GLMC, third epoch", glmc, "glmc", epoch=3, **of_glmc),
        case("NCL, two of three classes are hard", ncl, "ncl", hardClasses=2, options=of_ncl),
        case("NCL, two networks, all are hard", ncl, "ncl", hardClasses=3, options=of_ncl | {"count": 2, "hard": 1}),
        case("MiSLAS: LWS with the classifier", lws, "lws", options={"classifier": "trained"}, freeze=["backbone"]),
    ],
}
if __name__ == "__main__":
    base.write(__file__, result)
