"""Methods that differentiate twice: one step each, written from the papers and the authors' code in PyTorch, float64.

Writes meta.json. Needs torch. The network, its weights and the class counts are those of two-stage.py. Rows 0-4 are trained,
rows 5-9 are those of a method's group, if it has one.

  meta-weight-net  V(L) = sigmoid(W2 relu(W1 L + b1) + b2), L cross-entropy times class weight. w' = w - a grad of sum V(L_j) L_j / n,
                   Theta by Adam (with decay in the gradient, in its fourth step) from the mean cross-entropy of rows 5-9 at w',
                   differentiated through w' by autograd; then the gradient of sum V(L_j) L_j / n with the new Theta. a = 1, n is the
                   sum of the class weights of the rows. All in training mode; the running statistics are those of the trained rows
  m2m              in the third epoch. x = seed + noise, T times x <- x - eta grad / |grad| of CE(g(x), k) + lambda f_k0(x), clipped to 0..1; f is
                   the network by its running statistics, g a perceptron with one hidden layer, whose mean and deviation are other ones. Rows
                   that are tried and whose probability by g is at least gamma have x in the place of their image
  deep-smote       the autoencoder: a 4 x 4 convolution with stride 2, leaky ReLU, a linear code, and back with ReLU and sigmoid. It learns
                   by Adam (fourth step) from MSE(decode(E), x) + penalty * mean over classes of MSE(decode(E of another of the class), x), beside a
                   plain step; later, rows that are taken have decode(e + u (e' - e)), e' the code of one of the k nearest of their class
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
PIXELS, UNITS = SIDE * SIDE * 2, 4
g = {
    "m2m/stage1/kernel": base.draw(PIXELS, UNITS, scale=0.06),
    "m2m/stage1/bias": base.draw(UNITS, scale=0.2, shift=1),
    "m2m/classifier/kernel": base.draw(UNITS, C, scale=0.9),
    "m2m/classifier/bias": base.draw(C, scale=0.3),
}
WIDTH, CODES = 3, 4
FLAT = (SIDE // 2) ** 2 * WIDTH
smote_shapes = {
    "encoder/1/kernel": (4, 4, 2, WIDTH),
    "encoder/1/bias": (WIDTH,),
    "encoder/code/kernel": (FLAT, CODES),
    "encoder/code/bias": (CODES,),
    "decoder/code/kernel": (CODES, FLAT),
    "decoder/code/bias": (FLAT,),
    "decoder/1/kernel": (4, 4, 2, WIDTH),
    "decoder/1/bias": (2,),
}
smote = {f"deep-smote/{name}": base.draw(*shape, scale=0.3) for name, shape in smote_shapes.items()}
smote_slots = {
    "deep-smote/adamw/steps": torch.tensor(3.0),
    **{f"deep-smote/m/{name}": base.draw(*shape, scale=0.002) for name, shape in smote_shapes.items()},
    **{f"deep-smote/v/{name}": base.draw(*shape, scale=0.001).abs() for name, shape in smote_shapes.items()},
}
extra = {"meta-weight-net": theta | slots, "m2m": g, "deep-smote": smote | smote_slots}


def weigh(losses, given):
    w1, b1, w2, b2 = (given[f"meta-weight-net/{name}"] for name in shapes)
    return torch.sigmoid(F.relu(losses[:, None] @ w1 + b1) @ w2 + b2)[:, 0]


def fourth_step(plugin, weights, slots, gradients, rate):
    after, kept = {}, {f"{plugin}/adamw/steps": torch.tensor(4.0)}
    for name, value in weights.items():
        m_name, v_name = (name.replace(f"{plugin}/", f"{plugin}/{part}/") for part in "mv")
        m = 0.9 * slots[m_name] + 0.1 * gradients[name]
        v = 0.999 * slots[v_name] + 0.001 * gradients[name] ** 2
        after[name] = value - rate * (m / (1 - 0.9**4)) / ((v / (1 - 0.999**4)).sqrt() + 1e-8)
        kept |= {m_name: m, v_name: v}
    return after, kept


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

    gradients = {name: gradients[name] + o["weightDecay"] * value for name, value in theta.items()}
    after, kept = fourth_step("meta-weight-net", theta, slots, gradients, o["learningRate"])
    rows = losses()
    found = base.finish(case, net, (weigh(rows.detach(), after) * rows).sum() / n, predicted)
    state = {name: value.flatten().tolist() for name, value in (after | kept).items()}
    return found | {"statistics": found["statistics"] | state}


def m2m(case):
    o, given, prepared = case["options"], case["inputs"], case["prepared"]
    net = base.Network(g, lambda name: not name.startswith("m2m/"))
    with torch.no_grad():
        predicted = net.classifier(net.features(x[:B], False))
    seeds, k0 = (torch.tensor(given[f"m2m/{part}"]) for part in ("seeds", "from"))
    take = torch.tensor(given["m2m/take"])
    noise = torch.tensor(given["m2m/noise"]).reshape(B, SIDE, SIDE, 2)
    mean, std = torch.tensor(base.mean), torch.tensor(base.std)

    def by_f(pixels):
        return net.classifier(net.features(((pixels - mean) / std).permute(0, 3, 1, 2), False))

    def by_g(pixels):
        flat = ((pixels - torch.tensor(prepared["mean"])) / torch.tensor(prepared["std"])).flatten(1)
        hidden = F.relu(flat @ g["m2m/stage1/kernel"] + g["m2m/stage1/bias"])
        return hidden @ g["m2m/classifier/kernel"] + g["m2m/classifier/bias"]

    moved = (images[:B].double()[seeds] / 255 + noise).clamp(0, 1)
    for _ in range(o["steps"]):
        moved = moved.detach().requires_grad_()
        cost = F.cross_entropy(by_g(moved), y) + o["lambda"] * by_f(moved).gather(1, k0[:, None]).mean()
        slope = torch.autograd.grad(cost, moved)[0]
        moved = (moved - o["stepSize"] * slope / slope.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1).detach()
    share = torch.softmax(by_g(moved), 1).gather(1, y[:, None])[:, 0]
    taken = (take > 0) & (share >= o["confidence"])
    case["tried"], case["taken"] = int(take.sum()), taken.tolist()
    trained = torch.where(taken.view(-1, 1, 1, 1), ((moved - mean) / std).permute(0, 3, 1, 2), x[:B])
    loss = F.cross_entropy(net.classifier(net.features(trained, True)), y)
    return base.finish(case, net, loss, predicted)


def encode(pixels, w):
    x = F.conv2d(pixels.permute(0, 3, 1, 2), w["deep-smote/encoder/1/kernel"].permute(3, 2, 0, 1), stride=2, padding=1)
    x = F.leaky_relu(x + w["deep-smote/encoder/1/bias"].view(1, -1, 1, 1), 0.2).permute(0, 2, 3, 1).flatten(1)
    return x @ w["deep-smote/encoder/code/kernel"] + w["deep-smote/encoder/code/bias"]


def decode(codes, w):
    x = F.relu(codes @ w["deep-smote/decoder/code/kernel"] + w["deep-smote/decoder/code/bias"])
    x = x.view(len(codes), SIDE // 2, SIDE // 2, WIDTH).permute(0, 3, 1, 2)
    x = F.conv_transpose2d(x, w["deep-smote/decoder/1/kernel"].permute(3, 2, 0, 1), stride=2, padding=1)
    return torch.sigmoid(x + w["deep-smote/decoder/1/bias"].view(1, -1, 1, 1)).permute(0, 2, 3, 1)


def deep_smote(case):
    o, given = case["options"], {name: torch.tensor(value) for name, value in case["inputs"].items()}
    net = base.Network(extra["deep-smote"], lambda name: not name.startswith("deep-smote/"))
    with torch.no_grad():
        predicted = net.classifier(net.features(x[:B], False))
    pixels = images[:B].double() / 255
    if case["epoch"] <= o["deferUntil"]:
        w = {name: value.clone().requires_grad_() for name, value in smote.items()}
        codes = encode(pixels, w)
        loss = F.mse_loss(decode(codes, w), pixels)
        permuted = decode(codes[given["deep-smote/order"]], w)
        classes = [F.mse_loss(permuted[y == c], pixels[y == c]) for c in y.unique()]
        loss = loss + o["penalty"] * sum(classes) / len(classes)
        gradients = dict(zip(w, torch.autograd.grad(loss, list(w.values()))))
        after, kept = fourth_step("deep-smote", smote, smote_slots, gradients, o["learningRate"])
        state = {name: value.flatten().tolist() for name, value in (after | kept).items()}
        found = base.finish(case, net, F.cross_entropy(net.classifier(net.features(x[:B], True)), y), predicted)
        return found | {"statistics": found["statistics"] | state}
    codes, trained = encode(pixels, smote), x[:B].clone()
    for i in range(B):
        if given["deep-smote/take"][i] == 0:
            continue
        near = sorted((j for j in range(B) if j != i and y[j] == y[i]), key=lambda j: (codes[i] - codes[j]).norm())[: o["neighbours"]]
        other = near[int(given["deep-smote/ranks"][i] * len(near))] if near else i
        made = decode((codes[i] + given["deep-smote/towards"][i] * (codes[other] - codes[i]))[None], smote)
        trained[i] = ((made - torch.tensor(base.mean)) / torch.tensor(base.std)).permute(0, 3, 1, 2)[0]
    return base.finish(case, net, F.cross_entropy(net.classifier(net.features(trained, True)), y), predicted)


case = base.case
of_smote = {"deferUntil": 2, "neighbours": 2, "penalty": 0.7, "codes": CODES, "width": WIDTH, "learningRate": 0.01}
learning = {"deep-smote/order": [2, 1, 4, 3, 0], "deep-smote/shares": [1 / 9, 1 / 3, 1 / 9, 1 / 3, 1 / 9]}
making = {
    "deep-smote/take": [1.0, 1.0, 0.0, 0.0, 1.0],
    "deep-smote/ranks": [0.7, 0.2, 0.4, 0.1, 0.3],
    "deep-smote/towards": [0.6, 0.5, 0.9, 0.2, 0.3],
}
of_m2m = {"deferUntil": 2, "lambda": 0.5, "steps": 4, "stepSize": 0.3, "confidence": 0.5, "noise": 0.5, "beta": 0.99}
chosen = {
    "m2m/seeds": [2, 2, 2, 0, 1],
    "m2m/from": [labels[i] for i in (2, 2, 2, 0, 1)],
    "m2m/take": [0.0, 1.0, 0.0, 1.0, 1.0],
    "m2m/noise": base.draw(B * PIXELS, scale=0.03).tolist(),
}
perceptron = {"model": {"name": "mlp", "width": UNITS, "depth": 1, "head": "linear", "bias": True}, "classes": None, "mean": [0.5, 0.4], "std": [0.3, 0.2]}
of_net = {"hidden": HIDDEN, "learningRate": 0.01, "weightDecay": 1e-3}
result = base.result | {
    "images": images.flatten().tolist(),
    "labels": labels,
    "weights": {name: value.flatten().tolist() for part in (base.weights, *extra.values()) for name, value in part.items()},
    "cases": [
        case("Meta-Weight-Net", meta_weight_net, "meta-weight-net", options=of_net),
        case("Meta-Weight-Net, class weights", meta_weight_net, "meta-weight-net", options=of_net, weighted=True),
        case("M2m", m2m, "m2m", options=of_m2m, epoch=3, inputs=chosen, prepared=perceptron),
        case("M2m, by the classifier alone", m2m, "m2m", options=of_m2m | {"lambda": 0}, epoch=3, inputs=chosen, prepared=perceptron),
        case("DeepSMOTE, the autoencoder learns", deep_smote, "deep-smote", options=of_smote, epoch=2, inputs=learning),
        case("DeepSMOTE, images are made", deep_smote, "deep-smote", options=of_smote, epoch=3, inputs=making),
    ],
}
if __name__ == "__main__":
    base.write(__file__, result)
