"""Second stages and BBN: one step each, written from the papers' formulas in PyTorch, float64.

Writes two-stage.json. Needs torch. A network of two convolutions with batch norm, average pooling and a linear classifier on
images of 6 x 6 x 2, three classes with 300, 100 and 20 training images. Rows 0-4 are trained, rows 5-9 are the second draw
of BBN. Loss, gradient of what is trained, running statistics after the step, and logits in evaluation before it.

  crt       backbone frozen, cross-entropy; its batch norms in train mode (as released) or in eval mode
  lws       z_c = s_c (w_c x + b_c), everything but s frozen
  tau-norm  w_c / |w_c|^tau in evaluation, without the bias or with it
  bbn       f = 2 [a f_c; (1 - a) f_r] into one linear layer, loss a CE(y_c) + (1 - a) CE(y_r), a = 1 - ((T - 1) / T_max)^2; the
            trunk sees both batches one after the other; in evaluation [f_c; f_r]
  experts   stage 1 shared, stage 2 and the classifier for each of three; in evaluation the mean of their logits.
            BalPoE: mean over k of CE(z_k + tau_k log pi); SADE: sum of CE(z_1), CE(z_2 + log pi) and
            CE(z_3 + log pi - 2 log pi_rev); RIDE: sum of CE(z_k) minus factor mean(T)^2 KL(softmax(zbar / T) || softmax(z_k / T)),
            zbar without gradient, T = 1, later T_c = (0.05 C pi_c + 0.95) / max
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(7)
B, SIDE, C = 5, 6, 3
counts = [300, 100, 20]
class_weights = [0.25, 0.5, 2.25]
mean, std = [0.45, 0.5], [0.25, 0.2]
EPOCHS = 4


def draw(*shape, scale=1.0, shift=0.0):
    return (torch.randn(*shape, generator=generator) * scale + shift).mul(1e4).round().div(1e4)


images = torch.randint(0, 256, (2 * B, SIDE, SIDE, 2), generator=generator)
labels = [0, 1, 0, 2, 0, 2, 2, 1, 2, 0]


def block(name, inputs, outputs):
    return {
        f"{name}/kernel": draw(3, 3, inputs, outputs, scale=0.3),
        f"{name}/norm/scale": draw(outputs, scale=0.2, shift=1),
        f"{name}/norm/shift": draw(outputs, scale=0.2),
        f"{name}/norm/mean": draw(outputs, scale=0.3),
        f"{name}/norm/variance": draw(outputs, scale=0.1, shift=1).abs(),
    }


weights = {
    **block("stage1/block1", 2, 3),
    **block("stage2/block1", 3, 4),
    "classifier/kernel": draw(4, C, scale=0.8),
    "classifier/bias": draw(C, scale=0.5),
}
extra = {
    "lws": {"lws/scale": draw(C, scale=0.2, shift=1)},
    "bbn": {f"bbn/{name}": value for name, value in block("stage2/block1", 3, 4).items()}
    | {"bbn/classifier/kernel": draw(4, C, scale=0.8)},
}
extra["experts"] = {
    f"experts/{k}/{name}": value
    for k in (2, 3)
    for name, value in (
        block("stage2/block1", 3, 4)
        | {"classifier/kernel": draw(4, C, scale=0.8), "classifier/bias": draw(C, scale=0.5)}
    ).items()
}


class Network:
    def __init__(self, more, trained):
        self.all = {name: value.clone() for name, value in (weights | more).items()}
        self.trained = [name for name in self.all if trained(name) and not name.endswith(("mean", "variance"))]
        for name in self.trained:
            self.all[name].requires_grad_()

    def block(self, x, name, stride, train):
        kernel = self.all[f"{name}/kernel"].permute(3, 2, 0, 1)
        y = F.conv2d(x, kernel, stride=stride, padding=1)
        scale, shift, m, v = (self.all[f"{name}/norm/{part}"] for part in ("scale", "shift", "mean", "variance"))
        # PyTorch writes the running statistics in place.
        return F.relu(F.batch_norm(y, m, v, scale, shift, training=train, momentum=0.1, eps=1e-5))

    def features(self, x, train, branch=""):
        x = self.block(x, "stage1/block1", 1, train)
        return self.block(x, f"{branch}stage2/block1", 2, train).mean((2, 3))

    def classifier(self, f):
        return f @ self.all["classifier/kernel"] + self.all["classifier/bias"]

    def statistics(self):
        return {name: value.tolist() for name, value in self.all.items() if name.endswith(("mean", "variance"))}


x = ((images.double() / 255 - torch.tensor(mean)) / torch.tensor(std)).permute(0, 3, 1, 2)
usual, second = x[:B], x[B:]
y = torch.tensor(labels)


def cross_entropy(z, target):
    return -(z - z.exp().sum(1, keepdim=True).log())[torch.arange(B), target]


def finish(case, net, loss, predicted):
    loss.backward()
    return {
        **case,
        "loss": loss.item(),
        "gradients": {name: net.all[name].grad.flatten().tolist() for name in net.trained},
        "statistics": net.statistics(),
        "logits": predicted.flatten().tolist(),
    }


def second_stage(case):
    plugin, norm = case["plugin"], case["frozenNorm"]
    own = "lws/" if plugin == "lws" else "classifier/"
    net = Network(extra.get(plugin or "", {}), lambda name: name.startswith(own))

    def logits(train):
        z = net.classifier(net.features(usual, train))
        return z * net.all["lws/scale"] if plugin == "lws" else z

    with torch.no_grad():
        predicted = logits(False)
    loss = cross_entropy(logits(norm == "batch"), y[:B]).mean()
    return finish(case, net, loss, predicted)


def tau_norm(case):
    tau, bias = case["options"]["tau"], case["options"]["bias"]
    net = Network({}, lambda name: True)
    W = torch.stack([w / w.norm() ** tau for w in weights["classifier/kernel"].T], 1)
    with torch.no_grad():
        predicted = net.features(usual, False) @ W + (weights["classifier/bias"] if bias == "keep" else 0)
    loss = cross_entropy(net.classifier(net.features(usual, True)), y[:B]).mean()
    return finish(case, net, loss, predicted)


def bbn(case):
    net = Network(extra["bbn"], lambda name: True)
    alpha = 1 - ((case["epoch"] - 1) / EPOCHS) ** 2
    w = torch.tensor(class_weights if case["weighted"] else [1.0] * C)

    def linear(f):
        kernel = torch.cat([net.all["classifier/kernel"], net.all["bbn/classifier/kernel"]], 0)
        return f @ kernel + net.all["classifier/bias"]

    with torch.no_grad():
        predicted = linear(torch.cat([net.features(usual, False), net.features(usual, False, "bbn/")], 1))
    f_c = net.features(usual, True)
    f_r = net.features(second, True, "bbn/")
    z = linear(2 * torch.cat([alpha * f_c, (1 - alpha) * f_r], 1))
    y_c, y_r = y[:B], y[B:]
    terms = alpha * w[y_c] * cross_entropy(z, y_c) + (1 - alpha) * w[y_r] * cross_entropy(z, y_r)
    loss = terms.sum() / (alpha * w[y_c] + (1 - alpha) * w[y_r]).sum()
    return finish(case | {"alpha": alpha}, net, loss, predicted)


def experts(case):
    net = Network(extra["experts"], lambda name: True)
    method = case["options"]["method"]
    w = torch.tensor(class_weights if case["weighted"] else [1.0] * C)
    pi = torch.tensor(counts, dtype=torch.float64) / sum(counts)
    reverse = pi.flip(0)  # The classes are in the order of their size.
    offsets = {
        "balpoe": [tau * pi.log() for tau in (0, 1, 2)],
        "sade": [0 * pi, pi.log(), pi.log() - 2 * reverse.log()],
        "ride": [0 * pi] * 3,
    }[method]

    def logits(train):
        trunk = net.block(usual, "stage1/block1", 1, train)
        found = []
        for own in ("", "experts/2/", "experts/3/"):
            f = net.block(trunk, f"{own}stage2/block1", 2, train).mean((2, 3))
            found.append(f @ net.all[f"{own}classifier/kernel"] + net.all[f"{own}classifier/bias"])
        return found

    with torch.no_grad():
        predicted = sum(logits(False)) / 3
    z = logits(True)
    weight = w[y[:B]]
    terms = [(weight * cross_entropy(zk + offset, y[:B])).sum() / weight.sum() for zk, offset in zip(z, offsets)]
    loss = sum(terms) / (3 if method == "balpoe" else 1)
    penalty = torch.zeros(())
    if method == "ride":
        T = torch.ones(C)
        if case["epoch"] > 2:
            T = 0.05 * C * pi + 0.95
            T = T / T.max()
        p = torch.softmax((sum(z) / 3).detach() / T, 1)
        kl = [F.kl_div(torch.log_softmax(zk / T, 1), p, reduction="batchmean") for zk in z]
        penalty = -case["options"]["diversity"] * T.mean() ** 2 * sum(kl)
    found = finish(case, net, loss + penalty, predicted)
    return found | {"loss": loss.item(), "penalty": penalty.item()}


def case(name, of, plugin, **rest):
    usual_values = {"options": {}, "freeze": [], "frozenNorm": "batch", "epoch": 1, "weighted": False}
    return of({"name": name, "plugin": plugin, **usual_values, **rest})


both = ["batch", "running"]
cases = [
    *[case(f"cRT, norms by {norm}", second_stage, None, freeze=["backbone"], frozenNorm=norm) for norm in both],
    *[case(f"LWS, norms by {norm}", second_stage, "lws", freeze=["backbone", "classifier"], frozenNorm=norm) for norm in both],
    case("tau-norm", tau_norm, "tau-norm", options={"tau": 1, "bias": "drop"}),
    case("tau-norm, tau 0.7, with bias", tau_norm, "tau-norm", options={"tau": 0.7, "bias": "keep"}),
    case("BBN, first epoch", bbn, "bbn", epoch=1),
    case("BBN, third epoch, class weights", bbn, "bbn", epoch=3, weighted=True),
    case("BBN, last epoch", bbn, "bbn", epoch=4),
    case("BalPoE", experts, "experts", options={"method": "balpoe", "shared": "stage1"}),
    case("SADE, class weights", experts, "experts", options={"method": "sade", "shared": "stage1"}, weighted=True),
    case("RIDE, one temperature", experts, "experts", options={"method": "ride", "shared": "stage1", "diversity": 0.45, "deferUntil": 2}, epoch=2),
    case("RIDE, class weights, temperatures", experts, "experts", options={"method": "ride", "shared": "stage1", "diversity": 0.45, "deferUntil": 2}, epoch=3, weighted=True),
]
result = {
    "mean": mean,
    "std": std,
    "epochs": EPOCHS,
    "classCounts": counts,
    "classWeights": class_weights,
    "images": images.flatten().tolist(),
    "labels": labels,
    "weights": {name: value.flatten().tolist() for part in (weights, *extra.values()) for name, value in part.items()},
    "cases": cases,
}


def write(path, found):
    Path(path).with_suffix(".json").write_text(json.dumps(found) + "\n")
    for one in found["cases"]:
        print(f'{one["loss"]:.6f}  {one["name"]}')


if __name__ == "__main__":
    write(__file__, result)
