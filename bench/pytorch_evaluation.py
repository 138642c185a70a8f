"""PyTorch's side of bench/evaluation.mjs: the same figures of the same logits with tensors, in batches, one JSON line."""

import argparse
import json
import resource
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--classes", type=int, required=True)
parser.add_argument("--images", type=int, required=True)
parser.add_argument("--batch", type=int, required=True)
args = parser.parse_args()
C, BINS = args.classes, 15
torch.set_num_threads(1)
torch.manual_seed(0)
pool = torch.randn(8, args.batch, C)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
labels_seen, predictions_seen = [], []
loss = top5 = torch.zeros((), dtype=torch.float64)
bins = torch.zeros(3, BINS, dtype=torch.float64)
for at in range(0, args.images, args.batch):
    n = min(args.batch, args.images - at)
    logits = pool[at // args.batch % len(pool)][:n]
    labels = (torch.arange(at, at + n) * 7) % C
    log_p = torch.log_softmax(logits.double(), 1)
    loss = loss - log_p[torch.arange(n), labels].sum()
    best, own = log_p.max(1).indices, logits[torch.arange(n), labels]
    top5 = top5 + ((logits > own[:, None]).sum(1) < 5).sum()
    confidence = log_p.max(1).values.exp()
    bin_of = (torch.ceil(confidence * BINS) - 1).clamp(0, BINS - 1).long()
    for row, value in enumerate([torch.ones_like(confidence), confidence, (best == labels).double()]):
        bins[row].index_add_(0, bin_of, value)
    labels_seen.append(labels)
    predictions_seen.append(best)
labels, best = torch.cat(labels_seen), torch.cat(predictions_seen)
correct = torch.bincount(labels[labels == best], minlength=C).double()
support, predicted = torch.bincount(labels, minlength=C), torch.bincount(best, minlength=C)
pairs, counts = torch.unique(labels * C + best, return_counts=True)
either = support + predicted
figures = {
    "loss": float(loss / args.images),
    "accuracy": float(correct.sum() / args.images),
    "balancedAccuracy": float((correct / support)[support > 0].mean()),
    "macroF1": float((2 * correct / either)[either > 0].mean()),
    "ece": float((bins[1] - bins[2]).abs().sum() / args.images),
    "top5": float(top5 / args.images),
    "pairs": len(pairs),
}
seconds = time.process_time() - start
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(json.dumps({"version": torch.__version__, "seconds": seconds, "megabytes": grown, "figures": figures}))
