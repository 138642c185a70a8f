"""Methods with several heads, views or networks: one step each, written from the papers and the authors' code in PyTorch, float64.

Writes branches.json. Needs torch. The network, its weights and the class counts are those of two-stage.py. Rows 0-4 are
trained; further fives of rows are the groups of a method, in its order.

  glmc   rows 5-9 second views, 10-14 partners, 15-19 second views of the partners. x_1 = l x + (1 - l) x', x_2 = second view with
         the partner's patch; a (CE(fc(f_1)) + CE(fc(f_2))) + (1 - a) (the same with the model's classifier, labels times
         w = n^-q scaled to mean 1) + factor (-cos(p_1, sg z_2) - cos(p_2, sg z_1)); both CE with labels l y + (1 - l) y'; the batch norms see x_1, then x_2
  ncl    K networks: sum_k CE(z_k + log n, y) + CE(mask (z_k + log n), y) + factor / (K - 1) sum_{i != j} KL(p_j || p_i) on
         both, the mask being 1 for the classes that rank first in z_1, y before all
  lws    as in two-stage.py, with the classifier trained too: stage 2 of MiSLAS
  proco  rows 5-9 and 10-14 two more views, all through one batch norm and projected. Class means m of this epoch (those of the last
         one when it begins) with the views in them; kappa = d R / (1 - R^2); views against classes by log I_n(k) - n log k at
         |kappa m / R + z / tau| minus the same at kappa, n = d / 2 - 1, I by its power series; CE of that + log pi
  paco   rows 5-9 second views, by a momentum encoder (gpaco: by the network, after the first). For each anchor (gpaco: both views)
         one softmax over z + log pi and cosines / tau with all others, second views and the queue; -sum of target log p over the
         sum of targets, the class's centre 1 (1 - smooth, the others smooth / (C - 1)), rows of the class alpha
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


HIDDEN, LENGTH, QUEUED = 3, 4, 7


def projection(name):
    return {
        f"{name}/hidden": base.draw(4, HIDDEN, scale=0.7),
        f"{name}/scale": base.draw(HIDDEN, scale=0.2, shift=1),
        f"{name}/shift": base.draw(HIDDEN, scale=0.2),
        **linear(name, HIDDEN, LENGTH),
    }


extra = {
    "glmc": linear("glmc/classifier", 4, C) | linear("glmc/projection", 4, PROJECTED) | linear("glmc/predictor", PROJECTED, PROJECTED),
    "ncl": {f"ncl/{k}/{name}": value for k in (2, 3) for name, value in network().items()},
    "proco": projection("proco/head")
    | {
        "proco/mean": base.draw(C, LENGTH, scale=0.3),
        "proco/count": torch.tensor([40.0, 20.0, 6.0]),
        "proco/next-mean": base.draw(C, LENGTH, scale=0.4),
        "proco/next-count": torch.tensor([30.0, 7.0, 0.0]),
    },
    "paco": projection("paco/head")
    | {f"paco/key/{name}": value for name, value in (network() | projection("paco/head")).items() if not name.endswith(("mean", "variance"))}
    | {"paco/queue": F.normalize(base.draw(QUEUED, LENGTH), dim=1), "paco/queue-labels": torch.tensor([0.0, 1, 2, 0, 1, -1, -1])},
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


def project(net, name, f):
    w = {part: net.all[f"{name}/{part}"] for part in ("hidden", "scale", "shift")}
    hidden = F.batch_norm(f @ w["hidden"], None, None, w["scale"], w["shift"], training=True)
    return F.normalize(apply(net, name, F.relu(hidden)), dim=1)


def log_bessel(n, k):
    """log I_n(k) - n log k by the power series, for autograd."""
    j = torch.arange(400.0)
    terms = 2 * j * (k.unsqueeze(-1) / 2).log() - torch.lgamma(j + 1) - torch.lgamma(j + n + 1)
    return torch.logsumexp(terms, -1) - n * torch.log(torch.tensor(2.0))


def with_rows(mean, count, z, target):
    mean, count = mean.clone(), count.clone()
    for c in range(C):
        of = z[target == c]
        if len(of) > 0:
            mean[c] = (mean[c] * count[c] + of.sum(0)) / (count[c] + len(of))
            count[c] += len(of)
    return mean, count


def proco(case):
    state = [f"proco/{part}" for part in ("mean", "count", "next-mean", "next-count")]
    net = base.Network(extra["proco"], lambda name: name not in state)
    with torch.no_grad():
        predicted = net.classifier(net.features(rows[0], False))
    f = net.features(torch.cat(rows[:3]), True)
    z = project(net, "proco/head", f)[B:]
    target = torch.cat([y, y])
    mean, count, next_mean, next_count = (net.all[name] for name in state)
    if case["inputs"]["proco/begin"][0]:
        mean, count, next_count = next_mean, next_count, torch.zeros(C)
    mean, count = with_rows(mean, count, z.detach(), target)
    next_mean, next_count = with_rows(next_mean, next_count, z.detach(), target)
    net.all |= dict(zip(state, (mean, count, next_mean, next_count)))
    R = mean.norm(dim=1)
    kappa = LENGTH * R / (1 - R**2)
    n, tau = LENGTH / 2 - 1, case["options"]["temperature"]
    moved = (kappa[:, None] * mean / R[:, None] + z[:, None] / tau).norm(dim=2)
    contrast = log_bessel(n, moved) - log_bessel(n, kappa)
    pi = torch.tensor(counts).double() / sum(counts)
    penalty = case["options"]["weight"] * F.cross_entropy(contrast + pi.log(), target)
    loss = F.cross_entropy(net.classifier(f[:B]), y)
    found = base.finish(case, net, loss + penalty, predicted)
    kept = {name: net.all[name].flatten().tolist() for name in state}
    return found | {"loss": loss.item(), "penalty": penalty.item(), "statistics": found["statistics"] | kept}


def paco(case):
    o = case["options"]
    momentum_encoder = o["form"] == "paco"
    is_state = lambda name: name.startswith(("paco/key", "paco/queue"))
    given = {name: value for name, value in extra["paco"].items() if momentum_encoder or not name.startswith("paco/key")}
    net = base.Network(given, lambda name: not is_state(name))
    with torch.no_grad():
        predicted = net.classifier(net.features(rows[0], False))
    f = net.features(rows[0], True)
    q, z = project(net, "paco/head", f), net.classifier(f)
    if momentum_encoder:
        key = base.Network(extra["paco"], lambda name: False)
        key.all |= {name.removeprefix("paco/key/"): value for name, value in extra["paco"].items() if name.startswith("paco/key/")}
        k = project(key, "paco/head", key.features(rows[1], True))
        anchors, target = q, y
    else:
        f_k = net.features(rows[1], True)
        k, z = project(net, "paco/head", f_k), torch.cat([z, net.classifier(f_k)])
        anchors, target = torch.cat([q, k]), torch.cat([y, y])
    queue, queue_labels = net.all["paco/queue"], net.all["paco/queue-labels"]
    items = [*zip(q, y), *zip(k, y), *((one, c) for one, c in zip(queue, queue_labels) if c >= 0)]
    pi = torch.tensor(counts).double() / sum(counts)
    total = 0
    for i, anchor in enumerate(anchors):
        centres = (z[i] + pi.log()) / o["centreTemperature"]
        others = [(anchor @ one / o["temperature"], c) for j, (one, c) in enumerate(items) if j != i]
        rest = torch.logsumexp(torch.cat([centres, torch.stack([s for s, _ in others])]), 0)
        pairs = [((1 - o["smooth"]) if c == target[i] else o["smooth"] / (C - 1), centres[c]) for c in range(C)]
        pairs += [(o["alpha"], s) for s, c in others if c == target[i]]
        total = total - sum(t * (s - rest) for t, s in pairs) / sum(t for t, _ in pairs)
    found = base.finish(case, net, total / len(anchors), predicted)
    kept = {
        "paco/queue": torch.cat([k.detach(), queue])[:QUEUED],
        "paco/queue-labels": torch.cat([y.double(), queue_labels])[:QUEUED],
    }
    if momentum_encoder:  # The weights after a step of SGD with rate 1.
        m = o["momentum"]
        for name, value in extra["paco"].items():
            if name.startswith("paco/key/"):
                own = net.all[name.removeprefix("paco/key/")]
                kept[name] = m * value + (1 - m) * (own - own.grad).detach()
    return found | {"statistics": found["statistics"] | {name: value.flatten().tolist() for name, value in kept.items()}}


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
of_proco = {"hidden": HIDDEN, "dimension": LENGTH, "temperature": 0.2, "weight": 0.7}
of_paco = {"hidden": HIDDEN, "dimension": LENGTH, "queue": QUEUED, "temperature": 0.2, "centreTemperature": 0.8, "alpha": 0.3, "momentum": 0.9}
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
        case("ProCo, an epoch begins", proco, "proco", options=of_proco, inputs={"proco/begin": [1.0]}),
        case("ProCo, later in an epoch", proco, "proco", options=of_proco, inputs={"proco/begin": [0.0]}),
        case("PaCo", paco, "paco", options=of_paco | {"form": "paco", "smooth": 0}),
        case("GPaCo, smoothed", paco, "paco", options=of_paco | {"form": "gpaco", "smooth": 0.1}),
        case("MiSLAS: LWS with the classifier", lws, "lws", options={"classifier": "trained"}, freeze=["backbone"]),
    ],
}
if __name__ == "__main__":
    base.write(__file__, result)
