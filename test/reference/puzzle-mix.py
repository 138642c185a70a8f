"""Saliency, masks, loss and gradients of Puzzle Mix for test/plugins/puzzle-mix.test.ts, in PyTorch, float64.

Run: python test/reference/puzzle-mix.py   (needs torch; writes puzzle-mix.json beside itself)

A network of two layers (tanh) with a batch norm between them, on images of 4 x 6 x 2, three classes. Saliency is by autograd, the
network in eval mode. Masks are found by trying all sets of blocks, so nothing here knows that the best one is a matter of sorting;
the loss is that of soft targets, weighted by the mask's own mean, or by what Remix (eq. 10) makes of it.
"""

import itertools
import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(11)
H, W, CHANNELS, C, B, HIDDEN = 4, 6, 2, 3, 5, 4
counts = [300, 100, 20]
mean, std = [0.45, 0.5], [0.25, 0.2]


def draw(*shape, scale=1.0):
    return (torch.randn(*shape, generator=generator) * scale).mul(1e4).round().div(1e4)


images = torch.randint(0, 256, (B, H, W, CHANNELS), generator=generator)
labels = torch.tensor([0, 1, 2, 2, 0])
pair = torch.tensor([2, 0, 4, 3, 1])
weights = {
    "hidden/kernel": draw(H * W * CHANNELS, HIDDEN, scale=0.3),
    "norm/mean": draw(HIDDEN, scale=0.3),
    "classifier/kernel": draw(HIDDEN, C, scale=0.8),
    "classifier/bias": draw(C, scale=0.5),
}
trained = ["hidden/kernel", "classifier/kernel", "classifier/bias"]
x = (images / 255.0 - torch.tensor(mean)) / torch.tensor(std)


def forward(w, x, training):
    """Only the mean is normalised: that of the batch in training, the running one otherwise."""
    h = x.reshape(x.shape[0], -1) @ w["hidden/kernel"]
    h = torch.tanh(h - (h.mean(0) if training else w["norm/mean"]))
    return h @ w["classifier/kernel"] + w["classifier/bias"]


def saliency():
    inputs = x.clone().requires_grad_(True)
    F.cross_entropy(forward(weights, inputs, False), labels, reduction="sum").backward()
    return inputs.grad.square().mean(-1).sqrt()


def shares(s, n):
    means = F.avg_pool2d(s[:, None], (H // n, W // n)).reshape(B, -1)
    return means / means.sum(1, keepdim=True)


def best(own, partner, keep):
    """The set of blocks with most saliency, by trying them all."""
    sets = [torch.tensor([float(p in kept) for p in range(len(own))]) for kept in itertools.combinations(range(len(own)), keep)]
    return max(sets, key=lambda z: float((z * own + (1 - z) * partner).sum()))


def remix(lam, ni, nj):
    if ni / nj >= 3 and lam < 0.5:
        return 0.0
    if nj / ni >= 3 and 1 - lam < 0.5:
        return 1.0
    return lam


def case(keep, rule, n=2):
    s = saliency()
    own = shares(s, n)
    mask = torch.stack([best(own[i], own[pair[i]], keep[i]) for i in range(B)])
    pixels = mask.reshape(B, n, n).repeat_interleave(H // n, 1).repeat_interleave(W // n, 2)[..., None]
    mixed = pixels * x + (1 - pixels) * x[pair]
    lam = pixels.mean((1, 2, 3))
    weight = torch.tensor(
        [remix(float(lam[i]), counts[labels[i]], counts[labels[pair[i]]]) if rule else float(lam[i]) for i in range(B)]
    )
    w = {name: value.clone().requires_grad_(name in trained) for name, value in weights.items()}
    target = weight[:, None] * F.one_hot(labels, C) + (1 - weight)[:, None] * F.one_hot(labels[pair], C)
    loss = F.cross_entropy(forward(w, mixed, True), target)
    loss.backward()
    return {
        "keep": keep,
        "remix": rule,
        "mask": mask.int().tolist(),
        "lambda": lam.tolist(),
        "labelWeight": weight.tolist(),
        "loss": loss.item(),
        "gradients": {name: w[name].grad.flatten().tolist() for name in trained},
    }


result = {
    "images": images.flatten().tolist(),
    "shape": [H, W, CHANNELS],
    "labels": labels.tolist(),
    "pair": pair.tolist(),
    "counts": counts,
    "mean": mean,
    "std": std,
    "weights": {name: {"shape": list(value.shape), "values": value.flatten().tolist()} for name, value in weights.items()},
    "saliency": saliency().flatten().tolist(),
    "shares": shares(saliency(), 2).tolist(),
    "cases": [case([2] * B, False), case([1, 3, 0, 4, 2], False), case([1, 3, 1, 2, 3], True)],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(result) + "\n")
