"""Ten training steps of a ResNet-32 for test/step/training.slow.test.ts, from plain PyTorch (written with torch 2.12).

Run: python test/reference/training.py   (needs torch and numpy; writes training.json beside itself)

The reference is float64. Beside it each case holds how far PyTorch's own float32 is from it: what the test can ask of
another float32 implementation. Where a ReLU's input is within rounding of zero the two disagree on one element's gradient,
and a deep network with full learning rate amplifies that: from Kaiming values, at learning rate 0.1 and batch 128,
PyTorch's float32 is after ten steps as far from its float64 as the weights have moved. So the values to start
with are well-conditioned: the last norm of each block starts at a tenth (as in Goyal et al. 2017, section 5.1, where it
starts at zero) and the classifier at a half. Images are of 16 x 16 pixels, which is a quarter of the ReLUs, and the learning
rate is small (at 0.05, float32 is up to 3e-4 away in a tensor).

Weight decay is 25 times that of the recipes, so that it shows. Images, weights and projections follow formulas that both
sides compute (noise.py). Of each tensor's change since the beginning the norm and three projections are written.

Variants that are wrong in one thing each (`wrong`) are written for a few tensors: the test has to tell them from ours.
"""

import json
import math
import multiprocessing
import operator
import pathlib
import re
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from models import describe, fill, named, residual32, to_tailmix
from training_data import B, CLASSES, COUNTS, EPOCH, MEAN, N, SIDE, STAGES, STD, STEPS, images, kept, labels, steps

torch.set_num_threads(1)
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.005, 0.9, 5e-3
KAPPA, TAU, BETA, MARGIN, SCALE = 3, 0.5, 0.9999, 0.5, 10


def remember(norm, given):
    norm.old, norm.pixels = norm.running_var.clone(), given[0].numel() // given[0].shape[1]


def start(net, wrong):
    weights = named(net)
    for name, (tensor, kind) in weights.items():
        with torch.no_grad():
            if kind == "mean":
                tensor.zero_()
            elif kind == "variance":
                tensor.fill_(1)
            else:
                fill(name, tensor, kind)
                if name.endswith("/conv2/norm/scale"):
                    tensor.mul_(np.float32(0.1))
                elif name.endswith("/shift"):
                    tensor.mul_(5)
                elif name == "classifier/kernel":
                    tensor.mul_(0.5)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and wrong == "epsilon of batch norm":
            module.eps = 1e-3
        if isinstance(module, torch.nn.BatchNorm2d) and wrong == "momentum of batch norm":
            module.momentum = 0.01
        if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2) and wrong == "padding on one side":
            module.padding = 0
            module.register_forward_pre_hook(lambda _, given: F.pad(given[0], (0, 1, 0, 1)))
        if isinstance(module, torch.nn.BatchNorm2d) and wrong == "biased running variance":
            module.register_forward_pre_hook(remember)
    return weights


def forward(net, x, mix):
    x = F.relu(net.stem_norm(net.stem(mix("input", x))))
    for i, stage in enumerate(net.stages):
        x = mix(f"stage{i + 1}", stage(x))
    features = mix("pool", x.mean((2, 3)))
    if net.head == "cosine":
        return F.normalize(features, dim=1) @ F.normalize(net.classifier.weight, dim=1).T
    return net.classifier(features)


def remix(lam, i, j, wrong=None):
    tau = 1.01 if wrong == "kappa without tau" else TAU
    kappa = 4 if wrong == "another kappa" else KAPPA
    if COUNTS[i] / COUNTS[j] >= kappa and lam < tau:
        return 0.0
    if COUNTS[i] / COUNTS[j] <= 1 / kappa and 1 - lam < tau and wrong != "relabelled one way only":
        return 1.0
    return lam


def effective_numbers():
    weights = np.array([(1 - BETA) / (1 - BETA**n) for n in COUNTS])
    return weights / weights.sum() * CLASSES


def mixer(case, step, pair, lam, dtype):
    where = step["stage"] if case["stage"] == "drawn" else case["stage"]

    def mix(stage, h):
        if stage != where:
            return h
        other = h[pair]
        if case["box"]:
            box = step["box"]
            x = h.clone()
            x[:, :, box["top"] : box["bottom"], box["left"] : box["right"]] = other[:, :, box["top"] : box["bottom"], box["left"] : box["right"]]
            return x
        share = torch.tensor(lam, dtype=dtype).reshape(len(lam), *[1] * (h.dim() - 1))
        return share * h + (1 - share) * other

    return mix


def forward_replicas(net, x, case, step, pair, pixels, dtype, wrong):
    """Each replica normalises and mixes its own rows, from the same running statistics; these are averaged afterwards."""
    share = B if wrong == "batch norm over all replicas" else B // case["replicas"]
    before = [buffer.clone() for buffer in net.buffers()]
    after, logits = [], []
    for first in range(0, B, share):
        for buffer, value in zip(net.buffers(), before):
            buffer.data.copy_(value)
        local = [row - first for row in pair[first : first + share]]
        mix = mixer(case, step, local, pixels[first : first + share], dtype)
        logits.append(forward(net, x[first : first + share], mix))
        after.append([buffer.clone() for buffer in net.buffers()])
    for buffer, *values in zip(net.buffers(), *after):
        mean = torch.stack(values).to(torch.float64).mean(0)
        buffer.data.copy_(values[-1] if wrong == "statistics of the last replica" else mean)
    return torch.cat(logits)


def train(case, dtype, wrong=None):
    """State by name after 1 and 10 steps, the losses, and the logits that a prediction then gives."""
    net = residual32(head="cosine" if case["ldam"] else "linear").to(dtype)
    weights = start(net, wrong)
    before = {name: tensor.detach().clone() for name, (tensor, _) in weights.items()}
    parameters = [(name, tensor) for name, (tensor, kind) in weights.items() if kind not in ("mean", "variance")]
    velocity = {name: torch.zeros_like(tensor) for name, tensor in parameters}
    margins = torch.tensor([n**-0.25 for n in COUNTS], dtype=dtype)
    margins = margins / margins.max() * MARGIN
    mean, std = (torch.tensor(values, dtype=dtype)[:, None, None] for values in (MEAN, STD))
    losses, after = [], {}

    def prepare(rows):
        x = torch.from_numpy(images[rows]).permute(0, 3, 1, 2).contiguous().to(dtype)
        return (x / 255 - mean) / std

    def cross_entropy(logits, targets, margin_of):
        if case["ldam"]:
            logits = SCALE * (logits - F.one_hot(margin_of, CLASSES) * margins)
        return F.cross_entropy(logits, targets, reduction="none")

    for s, step in enumerate(steps):
        rows = [(s * B + i) % N for i in range(B)]
        own = [labels[row] for row in rows]
        share = B // case["replicas"]
        # A replica mixes its own rows.
        pair = [i - i % share + step["pair"][i] % share if case["stage"] else i for i in range(B)]
        other = [own[i] for i in pair]
        lam = [1.0] * B
        if case["box"]:
            lam = [step["lambda"] if wrong == "lambda before the patch is clipped" else kept(step["box"])] * B
        elif case["stage"]:
            lam = step["lambdas"] if case["lambda"] == "sample" else [step["lambda"]] * B
        label_weight = [remix(*given, wrong) for given in zip(lam, own, other)] if case["remix"] else lam
        if wrong == "labels the other way round":
            label_weight = [1 - share for share in label_weight]
        if wrong == "label weight of the whole batch":
            label_weight = [sum(label_weight) / B] * B
        pixels = label_weight if wrong == "pixels mixed as the labels" else lam
        epoch = 1 + s // EPOCH
        deferred = case["deferUntil"]
        weighted = deferred is not None and epoch > deferred + (wrong == "switch an epoch late")
        class_weights = effective_numbers() if weighted else np.ones(CLASSES)
        w_own = torch.tensor([share * class_weights[y] for share, y in zip(label_weight, own)], dtype=dtype)
        w_other = torch.tensor([(1 - share) * class_weights[y] for share, y in zip(label_weight, other)], dtype=dtype)

        net.train()
        logits = forward_replicas(net, prepare(rows), case, step, pair, pixels, dtype, wrong)
        own, other = torch.tensor(own), torch.tensor(other)
        first = cross_entropy(logits, own, own)
        second = cross_entropy(logits, other, own if wrong == "margin of the first label on both" else other)
        plain_mean = (case["reduction"] == "mean") != (wrong == "the other reduction")
        total = B if plain_mean else (w_own + w_other).sum()
        if wrong == "label weight times mean loss":
            # Two public implementations: both losses averaged over the batch before each sample's label weight.
            loss = ((w_own * first.mean() + w_other * second.mean()) / B).sum()
        else:
            loss = (w_own * first + w_other * second).sum() / total
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, [tensor for _, tensor in parameters])
        with torch.no_grad():
            for norm in net.modules():
                if hasattr(norm, "pixels"):
                    norm.running_var.copy_(0.9 * norm.old + (norm.running_var - 0.9 * norm.old) * (norm.pixels - 1) / norm.pixels)
            for (name, tensor), gradient in zip(parameters, gradients):
                decays = not (wrong == "no weight decay on norms" and "/norm/" in name)
                decayed = gradient + WEIGHT_DECAY * tensor if decays else gradient
                if wrong == "weight decay beside the momentum":
                    tensor *= 1 - LEARNING_RATE * WEIGHT_DECAY
                else:
                    gradient = decayed
                velocity[name] = MOMENTUM * velocity[name] + gradient
                tensor -= LEARNING_RATE * (gradient + MOMENTUM * velocity[name] if wrong == "Nesterov" else velocity[name])
        if s + 1 in (1, STEPS):
            after[s + 1] = {name: (tensor.detach() - before[name]).double().clone() for name, (tensor, _) in weights.items()}
    with torch.no_grad():
        logits = forward(net.eval(), prepare(list(range(B))), lambda _, h: h) * (SCALE if case["ldam"] else 1)
    return {"losses": losses, "after": after, "before": before, "kinds": {k: v[1] for k, v in weights.items()}, "logits": logits}


def distances(a, b, step):
    """Relative L2 distance of each tensor, and of all that changed, of `a` from `b`."""
    apart = {name: float((a["after"][step][name] - change).norm()) for name, change in b["after"][step].items()}
    each = {name: apart[name] / float((change + b["before"][name].double()).norm()) for name, change in b["after"][step].items()}
    moved = math.hypot(*(float(change.norm()) for change in b["after"][step].values()))
    return each, math.hypot(*apart.values()) / moved


def rounded(values):
    return [float(f"{value:.7g}") for value in values]


def described(run, step, names=None):
    return {
        name: rounded(describe(name, to_tailmix(change, run["kinds"][name])))
        for name, change in run["after"][step].items()
        if names is None or name in names
    }


def case(name, plugins, stage=None, box=False, lam="batch", remix=False, ldam=False, deferUntil=None, reduction="weighted-mean", replicas=1, wrong=()):
    example = {"replicas": replicas, "name": name, "plugins": plugins, "stage": stage, "box": box, "lambda": lam, "remix": remix, "ldam": ldam, "deferUntil": deferUntil, "reduction": reduction}
    exact = train(example, torch.float64)
    single = train(example, torch.float32)
    floor = {}
    for step in (1, STEPS):
        each, total = distances(single, exact, step)
        loss = max(abs(a / b - 1) for a, b in zip(single["losses"][:step], exact["losses"]))
        moved = [float(change.norm() / (change + exact["before"][key]).norm()) for key, change in exact["after"][step].items()]
        floor[step] = {"loss": loss, "tensor": max(each.values()), "change": total, "moved": float(np.median(moved))}
    print(name, "losses", [round(v, 3) for v in exact["losses"]])
    for step, values in floor.items():
        print(f"  float32 after {step}:", {k: float(f"{v:.2g}") for k, v in values.items()}, flush=True)
    mistakes = []
    for mistake in wrong:
        other = train(example, torch.float64, mistake)
        each, total = distances(other, exact, STEPS)
        worst = sorted(each, key=each.get)[-3:]
        print(f"  wrong: {mistake}: tensor {each[worst[-1]]:.2g} {worst[-1]}, change {total:.2g}, loss {abs(other['losses'][-1] / exact['losses'][-1] - 1):.2g}", flush=True)
        mistakes.append({"what": mistake, "change": described(other, STEPS, worst)})
    return {
        **{key: value for key, value in example.items() if key in ("name", "plugins", "stage", "box", "lambda", "deferUntil", "reduction") or (key == "replicas" and value > 1)},
        "float32": {step: {key: float(f"{value:.2g}") for key, value in values.items()} for step, values in floor.items()},
        "losses": exact["losses"],
        "logits": rounded(describe("logits", exact["logits"].numpy())),
        "change": {step: described(exact, step) for step in (1, STEPS)},
        "wrong": mistakes,
    }


if __name__ == "__main__":
    work = [
        partial(case, "plain", [], wrong=["no weight decay on norms", "weight decay beside the momentum", "biased running variance", "momentum of batch norm", "epsilon of batch norm", "padding on one side", "Nesterov"]),
        partial(case, "Mixup", ["mixup"], "input", wrong=["labels the other way round"]),
        partial(case, "Remix", ["mixup", "remix"], "input", remix=True, wrong=["another kappa", "kappa without tau", "relabelled one way only"]),
        partial(case, "Remix, a lambda each", ["mixup", "remix"], "input", lam="sample", remix=True, wrong=["label weight times mean loss", "label weight of the whole batch", "pixels mixed as the labels"]),
        partial(case, "DRW", ["drw"], deferUntil=1, wrong=["switch an epoch late", "the other reduction"]),
        partial(case, "Remix-DRW", ["mixup", "remix", "drw"], "input", remix=True, deferUntil=1, wrong=["label weight times mean loss", "the other reduction"]),
        partial(case, "Remix-DRW, mean", ["mixup", "remix", "drw"], "input", remix=True, deferUntil=0, reduction="mean"),
        partial(case, "CutMix", ["cutmix"], "input", box=True, wrong=["lambda before the patch is clipped"]),
        partial(case, "Remix-CM", ["cutmix", "remix"], "input", box=True, remix=True),
        *[partial(case, f"Manifold Mixup, {stage}", ["manifold-mixup"], stage) for stage in STAGES],
        partial(case, "Remix-MM, a stage each", ["manifold-mixup", "remix"], "drawn", remix=True),
        partial(case, "LDAM", ["ldam"], ldam=True),
        partial(case, "Remix-LDAM-DRW", ["mixup", "remix", "ldam", "drw"], "input", remix=True, ldam=True, deferUntil=1, wrong=["margin of the first label on both"]),
        partial(case, "Remix-DRW, 2 replicas", ["mixup", "remix", "drw"], "input", remix=True, deferUntil=1, replicas=2, wrong=["batch norm over all replicas", "statistics of the last replica"]),
        partial(case, "Remix-CM, 4 replicas", ["cutmix", "remix"], "input", box=True, remix=True, replicas=4, wrong=["batch norm over all replicas", "statistics of the last replica"]),
    ]
    with multiprocessing.Pool(4) as pool:
        cases = list(pool.imap(operator.call, work))
    result = {
        "torch": torch.__version__.split("+")[0],
        "batch": B,
        "imageShape": [SIDE, SIDE, 3],
        "stepsPerEpoch": EPOCH,
        "mean": MEAN,
        "std": STD,
        "optimizer": {"name": "sgd", "learningRate": LEARNING_RATE, "momentum": MOMENTUM, "nesterov": False, "weightDecay": WEIGHT_DECAY},
        "ldam": {"maxMargin": MARGIN, "scale": SCALE},
        "stages": STAGES,
        "labels": labels,
        "steps": steps,
        "cases": cases,
    }
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
    pathlib.Path(__file__).with_name("training.json").write_text(text + "\n")
