"""Long-tailed subsets as NumPy's legacy generator draws them (LDAM-DRW imbalance_cifar.py:33-49).

python3 numpy-subset.py > numpy-subset.json   (made with NumPy 2.4.6)
"""

import hashlib
import json

import numpy as np


def digest(rows):
    return hashlib.sha256(np.asarray(rows, dtype="<i4").tobytes()).hexdigest()


def shuffles(seed, sizes):
    """Successive shuffles of 0…n−1 from one generator."""
    np.random.seed(seed)
    result = []
    for n in sizes:
        values = np.arange(n, dtype=np.int32)
        np.random.shuffle(values)
        result.append({"n": n, "first": values[:8].tolist(), "sha256": digest(values)})
    return result


def subset(labels, counts, seed):
    np.random.seed(seed)
    kept = []
    for c, count in enumerate(counts):
        rows = np.where(labels == c)[0]
        np.random.shuffle(rows)
        kept.append(rows[:count])
    return np.concatenate(kept)


cifar10 = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
labels = (np.arange(50000) * 7919 // 13) % 10
available = np.bincount(labels, minlength=10)
counts = [min(n, int(m)) for n, m in zip(cifar10, available)]

print(
    json.dumps(
        {
            "shuffles": [
                {"seed": seed, "calls": shuffles(seed, [5000, 5000, 1, 2, 3, 1000, 4096, 4097])}
                for seed in (0, 1, 20_260_101, 2**32 - 1)
            ],
            "subsets": [
                {"seed": seed, "counts": counts, "sha256": digest(subset(labels, counts, seed))} for seed in (0, 7)
            ],
        },
        indent=1,
    )
)
