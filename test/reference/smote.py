"""Neighbours and synthetic rows for test/plugins/feature-smote.test.ts, by SciPy's tree, a class at a time.

Run: python test/reference/smote.py   (needs numpy and scipy; writes smote.json beside itself)
"""

import json
import pathlib

import numpy
from scipy.spatial import KDTree

random = numpy.random.RandomState(3)
ROWS, D = 12, 3
labels = numpy.array([0, 1, 0, 0, 2, 1, 0, 1, 0, 3, 0, 1])
features = random.randn(ROWS, D).round(3)
ranks, shares = random.rand(ROWS).round(3), random.rand(ROWS).round(3)


def case(k):
    chosen = numpy.arange(ROWS)
    for c in set(labels):
        rows = numpy.flatnonzero(labels == c)
        if len(rows) == 1:
            continue
        found = min(k, len(rows) - 1)
        _, near = KDTree(features[rows]).query(features[rows], k=found + 1)
        for place, row in enumerate(rows):
            others = [i for i in near[place] if i != place][:found]
            chosen[row] = rows[others[min(int(ranks[row] * found), found - 1)]]
    synthetic = features + shares[:, None] * (features[chosen] - features)
    return {"k": k, "chosen": chosen.tolist(), "synthetic": synthetic.tolist()}


result = {
    "labels": labels.tolist(),
    "features": features.tolist(),
    "ranks": ranks.tolist(),
    "shares": shares.tolist(),
    "cases": [case(1), case(3), case(20)],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(result) + "\n")
