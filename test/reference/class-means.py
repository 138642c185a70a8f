"""Reference numbers for test/plugins/class-mean-head: directions of class means with NumPy, in float64.

Run: python test/reference/class-means.py   (needs numpy; writes class-means.json beside itself)

The features of image i are noise("features")[i], moved by half of noise("class<label>"), so that means are not near zero.
"""

import json
import pathlib
import re

import numpy as np

from noise import noise

ROWS, SIZE, CLASSES = 23, 5, 4
labels = (np.arange(ROWS) * 7 % 11) % 3  # none of class 3

features = noise("features", ROWS * SIZE).reshape(ROWS, SIZE).astype(np.float64)
centres = np.stack([noise(f"class{c}", SIZE) for c in range(CLASSES)]).astype(np.float64)
features = (features + centres[labels] / 2).astype(np.float32).astype(np.float64)

means = [features[labels == c].mean(axis=0) for c in range(3)]
directions = [(mean / np.linalg.norm(mean)).tolist() for mean in means]

result = {"rows": ROWS, "size": SIZE, "classes": CLASSES, "labels": labels.tolist(), "directions": directions}
text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", json.dumps(result, indent=1))
pathlib.Path(__file__).with_name("class-means.json").write_text(text + "\n")
