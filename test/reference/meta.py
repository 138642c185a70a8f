"""Methods that differentiate twice: one step each, written from the papers and the authors' code in PyTorch, float64.

Writes meta.json. Needs torch. The network, its weights and the class counts are those of two-stage.py. Rows 0-4 are trained,
rows 5-9 are those of the method's group.

  meta-weight-net  V(L) = sigmoid(W2 relu(W1 L + b1) + b2), L cross-entropy times class weight. w' = w - a grad of sum V(L_j) L_j / n,
                   Theta by Adam (with decay in the gradient, in its fourth step) from the mean cross-entropy of rows 5-9 at w',
                   differentiated through w' by autograd; then the gradient of sum V(L_j) L_j / n with the new Theta. a = 1, n is the
                   sum of the class weights of the rows. All in training mode; the running statistics are those of the trained rows
"""

from importlib import import_module

import torch
from torch.nn import functional as F

base = import_module("two-stage")
B, C, SIDE = base.B, base.C, base.SIDE
images = torch.randint(0, 256, (2 * B, SIDE, SIDE, 2), generator=base.generator)
labels = [0, 1, 0, 2, 0, 2, 1, 1, 0, 2]
x = ((images.double() / 255 - torch.tensor(base.mean)) / torch.tensor(base.std)).permute(0, 3, 1, 2)
y, y_meta = torch.tensor(labels[:B]), torch.tensor(labels[B:])
HIDDEN = 6
shapes = {"hidden/kernel": (1, HIDDEN), "hidden/bias": (HIDDEN,), "out/kernel": (HIDDEN, 1), "out/bias": (1,)}
theta = {f"meta-weight-net/{name}": base.draw(*shape, scale=0.8) for name, shape in shapes.items()}
slots = {
    "meta-weight-net/adamw/steps": torch.tensor(3.0),
    **{f"meta-weight-net/m/{name}": base.draw(*shape, scale=0.02) for name, shape in shapes.items()},
    **{f"meta-weight-net/v/{name}": base.draw(*shape, scale=0.01).abs() for name, shape in shapes.items()},
}
extra = {"meta-weight-net": theta | slots}


def weigh(losses, given):
    w1, b1, w2, b2 = (given[f"meta-weight-net/{name}"] for name in shapes)
    return torch.sigmoid(F.relu(losses[:, None] @ w1 + b1) @ w2 + b2)[:, 0]


def meta_weight_net(case):
    o = case["options"]
    net = base.Network(extra["meta-weight-net"], lambda name: not name.startswith("meta-weight-net/"))
    with torch.no_grad():
        predicted = net.classifier(net.features(x[:B], False))
    w = torch.tensor(base.class_weights if case["weighted"] else [1.0] * C)[y]
    n = w.sum()

    def losses():
        return w * F.cross_entropy(net.classifier(net.features(x[:B], True)), y, reduction="none")

    at_w = dict(net.all)
    before = {name: value.clone() for name, value in net.all.items() if name.endswith(("mean", "variance"))}
    now = {name: value.clone().requires_grad_() for name, value in theta.items()}
    rows = losses()
    inner = (weigh(rows.detach(), now) * rows).sum() / n
    slopes = torch.autograd.grad(inner, [net.all[name] for name in net.trained], create_graph=True)
    net.all |= {name: net.all[name] - slope for name, slope in zip(net.trained, slopes)}
    meta = F.cross_entropy(net.classifier(net.features(x[B:], True)), y_meta)
    gradients = dict(zip(now, torch.autograd.grad(meta, list(now.values()))))
    net.all = at_w | before

    after, kept = {}, {"meta-weight-net/adamw/steps": torch.tensor(4.0)}
    for name, value in theta.items():
        m_name, v_name = (name.replace("meta-weight-net/", f"meta-weight-net/{part}/") for part in "mv")
        g = gradients[name] + o["weightDecay"] * value
        m = 0.9 * slots[m_name] + 0.1 * g
        v = 0.999 * slots[v_name] + 0.001 * g**2
        after[name] = value - o["learningRate"] * (m / (1 - 0.9**4)) / ((v / (1 - 0.999**4)).sqrt() + 1e-8)
        kept |= {m_name: m, v_name: v}
    rows = losses()
    found = base.finish(case, net, (weigh(rows.detach(), after) * rows).sum() / n, predicted)
    state = {name: value.flatten().tolist() for name, value in (after | kept).items()}
    return found | {"statistics": found["statistics"] | state}


case = base.case
of_net = {"hidden": HIDDEN, "learningRate": 0.01, "weightDecay": 1e-3}
result = base.result | {
    "images": images.flatten().tolist(),
    "labels": labels,
    "weights": {name: value.flatten().tolist() for part in (base.weights, *extra.values()) for name, value in part.items()},
    "cases": [
        case("Meta-Weight-Net", meta_weight_net, "meta-weight-net", options=of_net),
        case("Meta-Weight-Net, class weights", meta_weight_net, "meta-weight-net", options=of_net, weighted=True),
    ],
}
if __name__ == "__main__":
    base.write(__file__, result)
