"""Bootstrap intervals of a difference in balanced accuracy over test images, for test/metrics/bootstrap.test.ts.

    pip install numpy==2.4.6 scipy==1.17.1
    python test/reference/bootstrap.py > test/reference/bootstrap.json

SciPy resamples each class by itself (paired: an image goes with its two predictions); its 400,000 resamples stand for the exact
distribution.
"""

import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(11)
cases = []
for sizes, better in [([50, 50, 50], 0.1), ([200, 40, 10], 0.0), ([12, 9], -0.2)]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    ours = rng.random(len(labels)) < 0.6 + better
    theirs = rng.random(len(labels)) < 0.6
    difference = ours.astype(int) - theirs.astype(int)
    samples = [difference[labels == label] for label in range(len(sizes))]
    result = stats.bootstrap(
        samples,
        lambda *values, axis: np.mean([value.mean(axis=axis) for value in values], axis=0),
        n_resamples=400_000,
        batch=10_000,
        method="percentile",
        rng=np.random.default_rng(3),
    )
    low, high = result.confidence_interval
    cases.append(
        {
            "labels": labels.tolist(),
            "differences": difference.tolist(),
            "interval": [low, high],
            "error": result.standard_error,
        }
    )
print(json.dumps(cases))
