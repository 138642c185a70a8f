"""How exact slopes of losses are that meta-weight-net measures by differences: against torch.func.jvp in float64.

Prints, and writes nothing: figures of plugins/meta-weight-net/README.md. Needs torch; run beside test/reference/two-stage.py. A
ResNet-32 of CIFAR-10 (batch norm in training mode), 128 images of noise and class means, as it begins and after some steps of SGD. For
the direction of the gradient of another batch: relative error, over the rows, of (L(w + r v) - L(w - r v)) / 2r in float32.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.one = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs, track_running_stats=False) for _ in range(2))
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x):
        y = self.norms[1](self.two(F.relu(self.norms[0](self.one(x)))))
        short = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + short)


class ResNet32(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [(16, 16, 1)] * 5 + [(16, 32, 2)] + [(32, 32, 1)] * 4 + [(32, 64, 2)] + [(64, 64, 1)] * 4
        self.first, self.norm = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16, track_running_stats=False)
        self.blocks, self.last = nn.Sequential(*(Block(*size) for size in sizes)), nn.Linear(64, 10)

    def forward(self, x):
        return self.last(self.blocks(F.relu(self.norm(self.first(x)))).mean((2, 3)))


torch.manual_seed(0)
net = ResNet32()
means = torch.randn(10, 3, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)


def batch():
    y = torch.randint(10, (128,))
    return means[y] * 0.5 + torch.randn(128, 3, 32, 32), y


def losses(weights, x, y):
    return F.cross_entropy(torch.func.functional_call(net, weights, (x,)), y, reduction="none")


def errors(title):
    (x, y), (x_meta, y_meta) = batch(), batch()
    single = {name: value.detach() for name, value in net.named_parameters()}
    slopes = torch.func.grad(lambda w: losses(w, x_meta, y_meta).mean())(single)
    length = sum(slope.square().sum() for slope in slopes.values()).sqrt()
    unit = {name: slope / length for name, slope in slopes.items()}
    net.double()
    double = {name: value.double() for name, value in single.items()}
    exact = torch.func.jvp(lambda w: losses(w, x.double(), y), (double,), ({n: v.double() for n, v in unit.items()},))[1]
    net.float()
    moved = lambda r: losses({name: value + r * unit[name] for name, value in single.items()}, x, y)
    for radius in (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001):
        found = (moved(radius) - moved(-radius)) / (2 * radius)
        print(f"{title}  radius {radius:<7} error {((found - exact).norm() / exact.norm()).item():.1e}")


optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=2e-4)
for step in range(61):
    if step in (0, 10, 60):
        errors(f"after {step:2} steps")
    x, y = batch()
    optimizer.zero_grad()
    losses(dict(net.named_parameters()), x, y).mean().backward()
    optimizer.step()
