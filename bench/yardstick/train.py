"""The yardstick in PyTorch: the methods of the YAML files here on long-tailed CIFAR-10, with the same recipe.

    python bench/yardstick/train.py --data DIR --method remix-drw --epochs 60 --seed 0 [--device cuda] --out FILE

DIR holds train/<class>/*.jpg and test/<class>/*.jpg. The subset is tailmix's (NumPy seed 0). Needs torch, numpy, pillow.
Written from the papers' formulas; shares no code with tailmix but the network of test/reference/models.py.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "test" / "reference"))
from models import Basic, Residual  # noqa: E402

METHODS = ["erm", "drw", "ldam-drw", "balanced-softmax", "mixup-drw", "remix-drw"]
parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path, required=True)
parser.add_argument("--method", choices=METHODS, required=True)
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--device", default="cpu")
parser.add_argument("--out", type=pathlib.Path, required=True)
args = parser.parse_args()
RATIO, BATCH, BETA, KAPPA, TAU = 100, 128, 0.9999, 3, 0.5


def read(split):
    folders = sorted(folder for folder in (args.data / split).iterdir() if folder.is_dir())
    images, labels = [], []
    for label, folder in enumerate(folders):
        for path in sorted(folder.iterdir()):
            images.append(np.asarray(Image.open(path).convert("RGB")))
            labels.append(label)
    return np.stack(images), np.array(labels)


def long_tail(labels):
    """Rows of the exponential tail: one shuffle per class after seed 0 (Cao et al. 2019, imbalance_cifar.py)."""
    np.random.seed(0)
    classes = labels.max() + 1
    largest = len(labels) // classes
    rows = []
    for c in range(classes):
        own = np.where(labels == c)[0]
        np.random.shuffle(own)
        rows.append(own[: int(largest * (1 / RATIO) ** (c / (classes - 1.0)))])
    return np.concatenate(rows), np.array([len(own) for own in rows])


def augment(images):
    """Pad 4 with black, crop, flip; uint8 [N, 3, 32, 32]."""
    n = len(images)
    padded = F.pad(images, (4, 4, 4, 4))
    top, left = torch.randint(0, 9, (2, n), device=images.device)
    rows = top[:, None] + torch.arange(32, device=images.device)
    columns = left[:, None] + torch.arange(32, device=images.device)
    flip = torch.rand(n, device=images.device) < 0.5
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    index = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def learning_rate(epoch):
    """Epochs from 1: linear warm-up, then × 0.01 after 80 % and again after 90 % of the run."""
    warmup = round(0.025 * args.epochs)
    if epoch <= warmup:
        return 0.1 * epoch / warmup
    return 0.1 * 0.01 ** sum(epoch > round(part * args.epochs) for part in (0.8, 0.9))


torch.manual_seed(args.seed)
train_images, train_labels = read("train")
test_images, test_labels = read("test")
rows, counts = long_tail(train_labels)
mean = torch.tensor([0.4914, 0.4822, 0.4465], device=args.device)[:, None, None]
std = torch.tensor([0.2023, 0.1994, 0.2010], device=args.device)[:, None, None]


def tensor(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(args.device)


def normalise(images):
    return (images.float() / 255 - mean) / std


x_train, y_train = tensor(train_images[rows]), torch.from_numpy(train_labels[rows]).to(args.device)
x_test, y_test = tensor(test_images), torch.from_numpy(test_labels).to(args.device)
n = torch.tensor(counts, dtype=torch.float32, device=args.device)
cosine = args.method == "ldam-drw"
net = Residual(Basic, [16, 32, 64], [5, 5, 5], "A", 1, 3, 10, False, "cosine" if cosine else "linear")
for module in net.modules():
    if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
        torch.nn.init.kaiming_normal_(module.weight)
net = net.to(args.device)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)
margins = n.pow(-0.25) * (0.5 / n.pow(-0.25).max())


def term(logits, y):
    if cosine:
        logits = 30 * (logits - F.one_hot(y, 10) * margins[y][:, None])
    if args.method == "balanced-softmax":
        logits = logits + n.log()
    return F.cross_entropy(logits, y, reduction="none")


history = []
start = time.time()
for epoch in range(1, args.epochs + 1):
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(epoch)
    weights = torch.ones(10, device=args.device)
    if args.method.endswith("drw") and epoch > round(0.8 * args.epochs):
        weights = (1 - BETA) / (1 - BETA**n)
        weights = weights / weights.sum() * 10
    net.train()
    for chosen in torch.randperm(len(x_train), device=args.device).split(BATCH):
        x, y = normalise(augment(x_train[chosen])), y_train[chosen]
        if args.method in ("mixup-drw", "remix-drw"):
            order, share = torch.randperm(len(y), device=args.device), float(np.random.beta(1, 1))
            own = torch.full((len(y),), share, device=args.device)
            if args.method == "remix-drw":
                own[(n[y] >= KAPPA * n[y[order]]) & (share < TAU)] = 0
                own[(n[y[order]] >= KAPPA * n[y]) & (1 - share < TAU)] = 1
            logits = net(share * x + (1 - share) * x[order])
            a, b = own * weights[y], (1 - own) * weights[y[order]]
            loss = (a * term(logits, y) + b * term(logits, y[order])).sum() / (a + b).sum()
        else:
            loss = (weights[y] * term(net(x), y)).sum() / weights[y].sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        predicted = torch.cat([net(normalise(part)).argmax(1) for part in x_test.split(500)])
    accuracy = (predicted == y_test).float().mean().item()
    history.append(accuracy)
    print(epoch, round(100 * accuracy, 2), flush=True)
args.out.write_text(
    json.dumps(
        {
            "method": args.method,
            "seed": args.seed,
            "epochs": args.epochs,
            "device": args.device,
            "torch": torch.__version__,
            "last": history[-1],
            "lastFiveMean": float(np.mean(history[-5:])),
            "accuracy": history,
            "perClass": [(predicted[y_test == c] == c).float().mean().item() for c in range(10)],
            "seconds": time.time() - start,
        }
    )
    + "\n"
)
