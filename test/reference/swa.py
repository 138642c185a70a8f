"""SWA with batch norm's statistics computed anew, for test/plugins/swa.test.ts: by `AveragedModel` and `update_bn` of PyTorch, float64.

Run: python test/reference/swa.py   (needs torch and numpy; writes swa.json beside itself)

Linear(12, 5) without bias, BatchNorm1d, ReLU, Linear(5, 3) take 16 steps of SGD, 4 to an epoch (rate 0.1, momentum 0.9, decay 0.01).
Weights come from the formula of noise.py; pixel i of the images of step t is (7919 i + 31 t) mod 256, over 255; label j is
(j + 2 j t) mod 3. Weights are taken after a step of each averaged epoch; `update_bn` then goes over the batches of its other steps.
"""

import json
import pathlib

import torch
from torch.optim.swa_utils import AveragedModel, update_bn

from noise import noise

torch.set_default_dtype(torch.float64)
SIZE, PER_EPOCH, EPOCHS = 6, 4, 4
CLASS_WEIGHTS = torch.tensor([0.5, 1.0, 2.0])


def images(step):
    return ((torch.arange(SIZE * 12) * 7919 + step * 31) % 256).reshape(SIZE, 12).double() / 255


def labels(step):
    j = torch.arange(SIZE)
    return (j + 2 * j * step) % 3


def network():
    net = torch.nn.Sequential(
        torch.nn.Linear(12, 5, bias=False), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.Linear(5, 3)
    )
    with torch.no_grad():
        for weight, name, shape in [(net[0].weight, "hidden/kernel", (12, 5)), (net[3].weight, "classifier/kernel", (5, 3))]:
            weight.copy_(torch.from_numpy(noise(name, shape[0] * shape[1]).reshape(shape)).double().T)
        net[3].bias.copy_(torch.from_numpy(noise("classifier/bias", 3)).double())
    return net


def run(start, every, norm_steps):
    net = network()
    average = AveragedModel(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    taken = max(1, PER_EPOCH - norm_steps)
    for epoch in range(1, EPOCHS + 1):
        averaged = epoch > start and (epoch - start - 1) % every == 0
        steps = [(epoch - 1) * PER_EPOCH + i for i in range(1, PER_EPOCH + 1)]
        for i, step in enumerate(steps, 1):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(images(step)), labels(step), weight=CLASS_WEIGHTS).backward()
            optimizer.step()
            if averaged and i == taken:
                average.update_parameters(net)
        if averaged:
            update_bn([images(step) for step in steps[taken:]], average)
    average.eval()
    norm = average.module[1]
    return {
        "options": {"start": start, "every": every, "normSteps": norm_steps},
        "kernel": average.module[0].weight.detach().T.flatten().tolist(),
        "mean": norm.running_mean.tolist(),
        "variance": norm.running_var.tolist(),
        "training": {"mean": net[1].running_mean.tolist(), "variance": net[1].running_var.tolist()},
        "logits": average(images(9)).detach().flatten().tolist(),
    }


result = {"torch": torch.__version__, "cases": [run(1, 1, 2), run(0, 2, 3), run(2, 1, 50)]}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(result) + "\n")
