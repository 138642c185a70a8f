"""Figures of classifiers from scikit-learn and NumPy, for test/metrics/evaluator.test.ts.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    python test/reference/metrics.py > test/reference/metrics.json

Logits are multiples of 1/256, so that float32 holds them exactly; no row has two equal ones.
"""

import json
import warnings

import numpy as np
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    recall_score,
    top_k_accuracy_score,
)


warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")


def calibration(probabilities, labels, bins=15):
    """Expected calibration error of Guo et al. 2017, bins (lower, upper]."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    total, table = 0.0, []
    for lower, upper in zip(edges[:-1], edges[1:]):
        inside = (confidence > lower) & (confidence <= upper)
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
            table.append([int(inside.sum()), float(confidence[inside].mean()), float(correct[inside].mean())])
        else:
            table.append([0, None, None])
    return float(total), table


def case(name, seed, images, class_counts, scale, absent=()):
    rng = np.random.default_rng(seed)
    classes = len(class_counts)
    present = [c for c in range(classes) if c not in absent]
    labels = rng.choice(present, size=images)
    # A head-heavy classifier: right classes are favoured, head classes more so.
    logits = rng.normal(size=(images, classes)) + np.log(class_counts) * 0.3
    logits[np.arange(images), labels] += 1.2
    stored = np.round(logits * scale * 256).astype(int)
    for row in stored:
        while len(set(row)) < classes:
            row += rng.integers(-2, 3, size=classes)
    logits = stored.astype(np.float64) / 256
    shifted = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    predictions = logits.argmax(axis=1)
    everything = list(range(classes))
    recall = recall_score(labels, predictions, labels=present, average=None)
    per_class = [None] * classes
    for c, value in zip(present, recall):
        per_class[c] = float(value)

    def group(test):
        members = [per_class[c] for c in present if test(class_counts[c])]
        return float(np.mean(members)) if members else None

    ece, reliability = calibration(probabilities, labels)
    worst = min(present, key=lambda c: per_class[c])
    # log_loss clips probabilities at the float epsilon; with moderate logits nothing is clipped.
    assert probabilities[np.arange(images), labels].min() > 1e-12
    return {
        "name": name,
        "classCounts": class_counts,
        "labels": labels.tolist(),
        "logits256": stored.ravel().tolist(),
        "expected": {
            "count": images,
            "loss": float(log_loss(labels, probabilities, labels=everything)),
            "accuracy": float((predictions == labels).mean()),
            "balancedAccuracy": float(balanced_accuracy_score(labels, predictions)),
            "perClass": per_class,
            "many": group(lambda n: n > 100),
            "medium": group(lambda n: 20 <= n <= 100),
            "few": group(lambda n: n < 20),
            "worstClass": [worst, per_class[worst]],
            "macroF1": float(f1_score(labels, predictions, average="macro")),
            "ece": ece,
            "reliability": reliability,
            "top5": float(top_k_accuracy_score(labels, logits, k=5, labels=everything)) if classes > 5 else None,
            "confusion": confusion_matrix(labels, predictions, labels=everything).tolist(),
        },
    }


spreads = []
for values in ([71.36, 69.6, 73.59, 70.1, 72.22], [0.5, 0.25], [1e-3, 1e-3 + 1e-9, 1e-3 - 1e-9]):
    spreads.append({
        "values": values,
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)),
        "median": float(np.median(values)),
    })

print(json.dumps({
    "cases": [
        case("ten classes", 1, 240, [500, 299, 179, 107, 100, 64, 38, 20, 19, 5], 1.0),
        case("classes without a test image", 2, 120, [300, 200, 100, 50, 20, 10, 5], 1.5, absent=(1, 5)),
        case("three classes, no medium", 3, 60, [101, 19, 1], 0.7),
        case("sharp and often wrong", 4, 90, [400, 120, 90, 80, 21, 20], 4.0),
    ],
    "spreads": spreads,
}, separators=(",", ":")))
