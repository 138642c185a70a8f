"""Reference numbers for test/plugins/optimisation, in float64 (written with torch 2.12): SAM and ASAM, averages, clipped
gradients, and the large batches that accumulated ones must equal.

Run: python test/reference/optimisation.py   (needs torch, numpy and schedulefree; writes optimisation.json beside itself)

A network of two layers takes a few steps of SGD (rate 0.1, momentum 0.9, decay 0.01). Weights come from the formula of
noise.py; pixel i of the images of step t is (7919 i + 31 t) mod 256, over 255; label j of step t is (j + 2 j t) mod 3.
The hidden layer is centred by the batch's mean where `centred`, and carries its running mean.
"""

import json
import pathlib
import re

import schedulefree
import torch
import torch.optim._muon
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from two_layers import BATCH, Net, images, labels

LEARNING_RATE, MOMENTUM, DECAY = 0.1, 0.9, 0.01


def plain(net, optimizer, x, y, reduction="weighted-mean"):
    optimizer.zero_grad()
    loss = net.loss(x, y, reduction)
    loss.backward()
    return loss.item()


def sam(rho, adaptive):
    """Foret et al. 2021, algorithm 1 and equation 2; ASAM, Kwon et al. 2021, equation 8 with T = |w|."""

    def backward(net, optimizer, x, y):
        loss = plain(net, optimizer, x, y)
        mean = net.mean
        with torch.no_grad():
            before = [w.clone() for w in net.parameters()]
            t = [w.abs() if adaptive else torch.ones_like(w) for w in before]
            norm = torch.cat([(a * w.grad).flatten() for a, w in zip(t, net.parameters())]).norm()
            for a, w in zip(t, net.parameters()):
                w += rho * a**2 * w.grad / norm
        plain(net, optimizer, x, y)
        with torch.no_grad():
            for w, old in zip(net.parameters(), before):
                w.copy_(old)
        net.mean = mean
        return loss

    return backward


def clipped(by, limit):
    def backward(net, optimizer, x, y):
        loss = plain(net, optimizer, x, y)
        (clip_grad_norm_ if by == "norm" else clip_grad_value_)(net.parameters(), limit)
        return loss

    return backward


def max_norm(limit, every):
    """Alshammari et al. 2022, equation 4: a class's vector is a column; after the update, or that of the last of four steps."""

    def project(net, step):
        if every == "epoch" and step < 4:
            return
        with torch.no_grad():
            kernel = net.weights["classifier/kernel"]
            for column in kernel.T:
                if column.norm() > limit:
                    column *= limit / column.norm()

    return project


def lookahead(options, steps=5):
    """Zhang et al. 2019, algorithm 1, SGD keeping its momentum."""
    net, slow = Net(True), Net(True)
    optimizer = sgd(net)
    losses = []
    for step in range(1, steps + 1):
        losses.append(plain(net, optimizer, images(step), labels(step)))
        optimizer.step()
        if step % options["steps"] == 0:
            with torch.no_grad():
                for phi, theta in zip(slow.parameters(), net.parameters()):
                    phi += options["alpha"] * (theta - phi)
                    theta.copy_(phi)
        slow.mean = net.mean
    logits = numbers(slow.logits(images(9), False).detach())
    return {"options": options, "losses": losses, "state": state(net), "slow": state(slow), "logits": logits}


def averaged(options, steps=5):
    """The authors' schedule-free optimizers; the rate grows over two steps. Batch norm's mean also at the averages."""
    net, average = Net(True), Net(True)
    kinds = {"sgd": schedulefree.SGDScheduleFreeReference, "adamw": schedulefree.AdamWScheduleFreeReference}
    own = {"betas": (0.8, 0.99)} if options["method"] == "adamw" else {"momentum": 0.8}
    optimizer = kinds[options["method"]](
        net.parameters(), lr=LEARNING_RATE, weight_decay=options["weightDecay"], warmup_steps=2, **own
    )
    optimizer.train()
    losses, mean = [], average.mean
    for step in range(1, steps + 1):
        if step > 1:
            for w, x in zip(average.parameters(), net.parameters()):
                w.data = optimizer.state[x]["x"].clone()
        average.mean = mean
        average.logits(images(step), True)
        mean = average.mean
        losses.append(plain(net, optimizer, images(step), labels(step)))
        optimizer.step()
    for w, x in zip(average.parameters(), net.parameters()):
        w.data = optimizer.state[x]["x"].clone()
    logits = numbers(average.logits(images(9), False).detach())
    return {"options": options, "losses": losses, "state": state(net), "average": state(average), "logits": logits}


def exact_newton_schulz(grad, coefficients, steps, eps):
    """That of torch.optim.Muon, which rounds to bfloat16, in float64."""
    a, b, c = coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


def muon(options, steps=4):
    """torch.optim.Muon for the hidden layer, [out, in], SGD for the classifier."""
    net = Net(True)
    kernel = torch.nn.Parameter(net.weights["hidden/kernel"].detach().T.clone())
    net.weights["hidden/kernel"] = kernel
    logits = net.logits

    def transposed(x, training):
        net.weights["hidden/kernel"] = kernel.T
        result = logits(x, training)
        net.weights["hidden/kernel"] = kernel
        return result

    net.logits = transposed
    others = [w for name, w in net.weights.items() if name != "hidden/kernel"]
    sgd_others = torch.optim.SGD(others, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=DECAY)
    torch.optim._muon._zeropower_via_newtonschulz = exact_newton_schulz
    optimizer = torch.optim.Muon(
        [kernel],
        lr=LEARNING_RATE * options["rate"],
        weight_decay=options["weightDecay"],
        momentum=options["momentum"],
        nesterov=options["nesterov"],
        adjust_lr_fn={"shape": "original", "rms": "match_rms_adamw"}[options["scale"]],
    )
    losses = []
    for step in range(1, steps + 1):
        kernel.grad = None
        losses.append(plain(net, sgd_others, images(step), labels(step)))
        sgd_others.step()
        optimizer.step()
    net.weights["hidden/kernel"] = kernel.T
    return {"options": options, "losses": losses, "state": state(net)}


def numbers(values):
    return [float(f"{v:.9g}") for v in values.flatten().tolist()]


def sgd(net):
    return torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=DECAY)


def state(net):
    return {**{name: numbers(w.detach()) for name, w in net.weights.items()}, "hidden/mean": numbers(net.mean)}


def run(plugin, options, backward, steps=4, after=lambda net, step: None):
    net = Net(True)
    optimizer = sgd(net)
    losses = []
    for step in range(1, steps + 1):
        losses.append(backward(net, optimizer, images(step), labels(step)))
        optimizer.step()
        after(net, step)
    return {"plugin": plugin, "options": options, "losses": [float(f"{v:.9g}") for v in losses], "state": state(net)}


def ema(options, decay_of, steps=4):
    net, average = Net(True), Net(True)
    optimizer = sgd(net)
    for step in range(1, steps + 1):
        plain(net, optimizer, images(step), labels(step))
        optimizer.step()
        decay = decay_of(step - 1)
        with torch.no_grad():
            for a, w in zip(average.parameters(), net.parameters()):
                a.copy_(decay * a + (1 - decay) * w)
            average.mean = decay * average.mean + (1 - decay) * net.mean
    return {
        "options": options,
        "state": state(net),
        "average": state(average),
        "logits": numbers(average.logits(images(9), False).detach()),
    }


def swa(options, steps=8, per_epoch=2):
    """Izmailov et al. 2018, algorithm 1, averaged at the ends of epochs; what predicts is the weights until the first."""
    net, kept = Net(True), []
    optimizer = sgd(net)
    for step in range(1, steps + 1):
        plain(net, optimizer, images(step), labels(step))
        optimizer.step()
        epoch = step // per_epoch
        if step % per_epoch == 0 and epoch > options["start"] and (epoch - options["start"] - 1) % options["every"] == 0:
            kept.append([w.detach().clone() for w in net.parameters()] + [net.mean])
    average = Net(True)
    with torch.no_grad():
        for a, *values in zip([*average.parameters(), average.mean], *kept):
            a.copy_(torch.stack(values).mean(0))
    logits = numbers(average.logits(images(9), False).detach())
    return {"options": options, "state": state(net), "average": state(average), "logits": logits}


def large_batches(reduction, clip):
    """An epoch of five steps, of 6 images and the last of 3, three to an update: batches of 18 and 9."""
    net = Net(False)
    optimizer = sgd(net)
    for group in [[(1, 6), (2, 6), (3, 6)], [(4, 6), (5, 3)]]:
        x, y = torch.cat([images(*step) for step in group]), torch.cat([labels(*step) for step in group])
        plain(net, optimizer, x, y, reduction)
        if clip:
            clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
    return {"reduction": reduction, "clip": clip, "state": state(net)}


result = {
    "torch": torch.__version__.split("+")[0],
    "gradients": [
        run("sam", {"rho": 0.3}, sam(0.3, False)),
        run("sam", {"rho": 0.8, "adaptive": True}, sam(0.8, True)),
        run("grad-clip", {"limit": 0.2}, clipped("norm", 0.2)),
        run("grad-clip", {"by": "value", "limit": 0.05}, clipped("value", 0.05)),
        run("weight-balancing", {"limit": 0.9}, plain, after=max_norm(0.9, "step")),
        run("weight-balancing", {"limit": 0.9, "every": "epoch"}, plain, after=max_norm(0.9, "epoch")),
    ],
    "lookahead": [lookahead({"steps": 2, "alpha": 0.5}), lookahead({"steps": 3, "alpha": 0.8})],
    "muon": [
        muon({"rate": 0.3, "momentum": 0.8, "nesterov": True, "weightDecay": 0.1, "scale": "shape"}),
        muon({"rate": 0.1, "momentum": 0.5, "nesterov": False, "weightDecay": 0, "scale": "rms"}),
    ],
    "scheduleFree": [
        averaged({"method": "sgd", "momentum": 0.8, "weightDecay": 0.01}),
        averaged({"method": "adamw", "momentum": 0.8, "beta2": 0.99, "weightDecay": 0.1}),
    ],
    "averages": [
        ema({"decay": 0.7, "warmup": False}, lambda t: 0.7),
        ema({"decay": 0.2, "warmup": True}, lambda t: min(0.2, (1 + t) / (10 + t))),
    ],
    "swa": [swa({"start": 1, "every": 1}), swa({"start": 0, "every": 2}), swa({"start": 3, "every": 1})],
    "accumulated": [large_batches(reduction, clip) for reduction in ["weighted-mean", "mean"] for clip in [None, 0.2]],
}
text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", json.dumps(result, indent=1))
pathlib.Path(__file__).with_name("optimisation.json").write_text(text + "\n")
