"""Figures beyond the headline from scikit-learn, SciPy and NumPy, for test/metrics/further.test.ts.

    pip install numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1
    python test/reference/further-metrics.py > test/reference/further-metrics.json

Logits are multiples of 1/256 in a range that half precision holds exactly when the highest of a row is taken off.
"""

import json

import numpy as np
from scipy.stats import binomtest, gmean, hmean
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, recall_score, roc_auc_score, roc_curve

RATIOS = (50, 25, 10, 5, 2)


def binned(confidence, correct, bins=15):
    """Sum over bins (lower, upper] of |accuracy - confidence| times the share of the images; the first bin has its lower end."""
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    for b in range(bins):
        inside = (confidence > edges[b]) & (confidence <= edges[b + 1])
        if b == 0:
            inside |= confidence == 0
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return float(total)


def priors(counts):
    order = sorted(range(len(counts)), key=lambda c: (-counts[c], c))
    rank = np.empty(len(counts))
    rank[order] = np.arange(len(counts))
    shares = {}
    for ratio in RATIOS:
        shares[f"forward{ratio}"] = float(ratio) ** (-rank / (len(counts) - 1))
    shares["uniform"] = np.ones(len(counts))
    for ratio in reversed(RATIOS):
        shares[f"backward{ratio}"] = float(ratio) ** (rank / (len(counts) - 1))
    return {name: share / share.sum() for name, share in shares.items()}


def weighted_accuracy(labels, predictions, prior, support):
    """Accuracy where each image weighs what its class has of the shifted test set."""
    weights = prior[labels] / support[labels]
    return float(np.average(predictions == labels, weights=weights))


def aurc(confidence, wrong):
    order = np.argsort(-confidence, kind="stable")
    return float(np.mean(np.cumsum(wrong[order]) / np.arange(1, len(wrong) + 1)))


def case(name, seed, images, counts, scale, absent=()):
    rng = np.random.default_rng(seed)
    C = len(counts)
    present = [c for c in range(C) if c not in absent]
    labels = rng.choice(present, size=images)
    logits = rng.normal(size=(images, C)) + np.log(np.maximum(counts, 1)) * 0.3
    logits[np.arange(images), labels] += 1.2
    stored = np.round(logits * scale * 256).astype(int)
    # Half precision has 11 bits: below the highest by less than 8.
    stored = np.maximum(stored, stored.max(axis=1, keepdims=True) - 2047)
    for row in stored:
        while (row == row.max()).sum() > 1:
            row[rng.choice(np.flatnonzero(row == row.max()))] -= 1
    z = stored / 256
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    predictions = z.argmax(axis=1)
    correct = (predictions == labels).astype(float)
    confidence = p.max(axis=1)
    everything = list(range(C))
    recall = recall_score(labels, predictions, labels=present, average=None)
    support = np.bincount(labels, minlength=C).astype(float)
    matrix = confusion_matrix(labels, predictions, labels=everything)
    many = np.array([n > 100 for n in counts])
    few = np.array([n < 20 for n in counts])
    onehot = np.eye(C)[labels]
    expected = {
        "gMean": float(gmean(recall)),
        "harmonicMean": float(hmean(recall)) if recall.min() > 0 else 0.0,
        "worstTenth": float(np.sort(recall)[: -(-len(present) // 10)].mean()),
        "nll": float(log_loss(labels, p, labels=everything)),
        "brier": float(brier_score_loss(labels, p, labels=everything, scale_by_half=False)),
        "classwiseEce": float(np.mean([binned(p[:, c], onehot[:, c]) for c in everything])),
        "aurc": aurc(confidence, 1 - correct),
    }
    if many.any() and few[labels].any():
        expected["falseHeadRate"] = float(matrix[few][:, many].sum() / matrix[few].sum())
    for group, members in (("Many", many), ("Medium", ~many & ~few), ("Few", few)):
        inside = members[labels]
        if inside.any():
            expected[f"ece{group}"] = binned(confidence[inside], correct[inside])
    known = {"training": {}, "uniform": {}}
    for shift, prior in priors(counts).items():
        # Shares of classes that are tested.
        tested = np.where(support > 0, prior, 0)
        weights = tested / tested.sum()
        expected[shift] = weighted_accuracy(labels, predictions, weights, np.maximum(support, 1))
        for of, own in (("training", np.maximum(counts, 1) / np.sum(counts)), ("uniform", np.ones(C))):
            adjusted = (z + np.log(prior) - np.log(own)).argmax(axis=1)
            known[of][f"{shift}Known"] = weighted_accuracy(labels, adjusted, weights, np.maximum(support, 1))
    expected["shiftMean"] = float(np.mean([expected[shift] for shift in priors(counts)]))
    for of in known:
        known[of]["shiftMeanKnown"] = float(np.mean(list(known[of].values())))
    return {
        "name": name,
        "classCounts": counts,
        "labels": labels.tolist(),
        "logits256": stored.ravel().tolist(),
        "expected": expected,
        "known": known,
    }


def wilson(hits, images):
    interval = binomtest(hits, images).proportion_ci(confidence_level=0.95, method="wilson")
    return {"hits": hits, "images": images, "low": float(interval.low), "high": float(interval.high)}


def apart(seed, inside, outside, steps):
    """Scores in whole numbers of 1 / steps, so that many are equal."""
    rng = np.random.default_rng(seed)
    a = np.round(rng.beta(5, 2, size=inside) * steps).astype(int)
    b = np.round(rng.beta(2, 3, size=outside) * steps).astype(int)
    truth = np.r_[np.ones(inside), np.zeros(outside)]
    scores = np.r_[a, b] / steps
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    return {
        "inside": a.tolist(),
        "outside": b.tolist(),
        "steps": steps,
        "auroc": float(roc_auc_score(truth, scores)),
        "fpr95": float(fpr[np.argmax(tpr >= 0.95)]),
    }


print(json.dumps({
    "cases": [
        case("ten classes", 1, 240, [500, 299, 179, 107, 100, 64, 38, 20, 19, 5], 1.0),
        case("classes without a test image", 2, 120, [300, 200, 100, 50, 20, 10, 5], 1.5, absent=(1, 5)),
        case("three classes, no medium", 3, 60, [101, 19, 1], 0.7),
        case("twenty-five classes out of order", 4, 700, [int(400 / (1 + (7 * c) % 25)) for c in range(25)], 1.2),
        case("a class that is never right", 5, 80, [900, 40, 30, 2], 2.0),
    ],
    "wilson": [wilson(*pair) for pair in ((0, 3), (3, 3), (1, 3), (71, 100), (999, 1000), (1, 1))],
    "separations": [apart(6, 200, 150, 1000), apart(7, 40, 60, 10), apart(8, 1, 5, 4)],
}, separators=(",", ":")))
