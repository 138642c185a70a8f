"""PyTorch's side of bench/step.ts: waits for `train N`, `predict N` or `quit` on standard input, answers in JSON lines.

A step is what tailmix's is: a new uint8 batch, normalise, Mixup with Remix's label weights, SGD with momentum and weight
decay, the loss read back. channels_last; mode `eager` or `compile`; bf16 by autocast.
"""

import argparse
import json
import math
import pathlib
import resource
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "test" / "reference"))
from models import Basic, Bottleneck, Residual  # noqa: E402

NETWORKS = {
    "resnet32": lambda c: Residual(Basic, [16, 32, 64], [5, 5, 5], "A", 1, 3, c, False, "linear"),
    "resnet18-cifar": lambda c: Residual(Basic, [64, 128, 256, 512], [2, 2, 2, 2], "B", 1, 3, c, False, "linear"),
    "resnet50": lambda c: Residual(Bottleneck, [64, 128, 256, 512], [3, 4, 6, 3], "B", 4, 3, c, True, "linear"),
}


def timm_network(name):
    def create(classes):
        import timm

        return timm.create_model(name, num_classes=classes)

    return create


NETWORKS["vit-tiny-16"] = timm_network("vit_tiny_patch16_224")
NETWORKS["vit-base-16"] = timm_network("vit_base_patch16_224")


class Adapted(torch.nn.Module):
    """AdaptFormer around an MLP with its layer norm: `plugins/adaptformer`."""

    def __init__(self, norm, mlp, width, dimension):
        super().__init__()
        self.inner_norm, self.mlp, self.norm = norm, mlp, torch.nn.LayerNorm(width, eps=1e-5)
        self.down, self.up = torch.nn.Linear(width, dimension), torch.nn.Linear(dimension, width)
        self.scale = torch.nn.Parameter(torch.ones(1))
        torch.nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.mlp(self.inner_norm(x)) + self.scale * self.up(F.relu(self.down(self.norm(x))))


def add_adapters(net):
    for name, weight in net.named_parameters():
        weight.requires_grad = name.startswith("head.")
    dimension = 2 ** max(0, int(math.floor(math.log2(args.classes / (2 * len(net.blocks))))))
    for block in net.blocks:
        block.mlp, block.norm2 = Adapted(block.norm2, block.mlp, net.embed_dim, dimension), torch.nn.Identity()


BATCHES, KAPPA, TAU = 8, 3, 0.5

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=NETWORKS, required=True)
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--size", type=int, required=True)
parser.add_argument("--classes", type=int, default=10)
parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
parser.add_argument("--mode", choices=["eager", "compile", "graphs"], default="eager", help="graphs: compiled, with CUDA graphs")
parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
parser.add_argument("--adapters", action="store_true", help="AdaptFormer of a ViT: the network stays as it is")
parser.add_argument("--frozen", action="store_true", help="trains the classifier alone; batch norms use their averages")
parser.add_argument("--threads", type=int, required=True)
args = parser.parse_args()

torch.manual_seed(0)
torch.set_num_threads(args.threads)
# What tailmix computes with on a device where nothing says otherwise.
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True
net = NETWORKS[args.model](args.classes).to(args.device, memory_format=torch.channels_last)
if args.adapters:
    add_adapters(net)
if args.frozen:
    for name, weight in net.named_parameters():
        weight.requires_grad = name.startswith(("head.", "classifier."))
trained = [weight for weight in net.parameters() if weight.requires_grad]
optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9, weight_decay=2e-4, foreach=True)
images = torch.randint(0, 256, (BATCHES, args.batch, args.size, args.size, 3), dtype=torch.uint8)
labels = torch.randint(0, args.classes, (BATCHES, args.batch))
counts = torch.logspace(3.7, 1.7, args.classes)
scale, shift = 1 / (255 * 0.25), -0.5 / 0.25


def normalise(pixels):
    return pixels.to(args.device, non_blocking=True).permute(0, 3, 1, 2).float().mul_(scale).add_(shift).contiguous(memory_format=torch.channels_last)


def loss_of(pixels, order, weight, y, label_weight):
    x = normalise(pixels)
    x = weight * x + (1 - weight) * x[order]
    with torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16"):
        logits = net(x)
    logits = logits.float()
    own, other = F.cross_entropy(logits, y, reduction="none"), F.cross_entropy(logits, y[order], reduction="none")
    return (label_weight * own + (1 - label_weight) * other).mean()


def logits_of(pixels):
    with torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16"):
        return net(normalise(pixels))


if args.mode != "eager":
    how = "reduce-overhead" if args.mode == "graphs" else "default"
    loss_of, logits_of = torch.compile(loss_of, mode=how), torch.compile(logits_of, mode=how)
if args.device == "cuda":
    images = images.pin_memory()


def train(step):
    net.train(not args.frozen)
    pixels, y = images[step % BATCHES], labels[step % BATCHES]
    order, weight = torch.randperm(args.batch), float(torch.rand(()))
    ni, nj = counts[y], counts[y[order]]
    label_weight = torch.full((args.batch,), weight)
    label_weight = torch.where((ni >= KAPPA * nj) & (label_weight < TAU), 0.0, label_weight)
    label_weight = torch.where((nj >= KAPPA * ni) & (1 - weight < TAU), 1.0, label_weight)
    optimizer.zero_grad(set_to_none=True)
    order, y, label_weight = (values.to(args.device) for values in (order, y, label_weight))
    loss = loss_of(pixels, order, torch.tensor(weight, device=args.device), y, label_weight)
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.no_grad()
def predict(step):
    net.eval()
    return logits_of(images[step % BATCHES]).float().cpu().numpy()


WORK = {"train": train, "predict": predict}
for work in WORK.values():
    for step in range(3):
        work(step)
where = f", {torch.cuda.get_device_name()}" if args.device == "cuda" else ""
print(json.dumps({"ready": True, "version": torch.__version__ + where}), flush=True)
for line in sys.stdin:
    name, *rest = line.split()
    if name == "quit":
        break
    count = int(rest[0])
    start, cpu = time.perf_counter(), time.process_time()
    for step in range(count):
        WORK[name](step)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = torch.cuda.max_memory_allocated() if args.device == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answer = {"imagesPerSecond": count * args.batch / seconds, "imagesPerCpuSecond": count * args.batch / cpu, "peakMemoryBytes": peak}
    print(json.dumps(answer), flush=True)
