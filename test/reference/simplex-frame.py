"""Reference numbers for test/plugins/etf-head: simplex equiangular tight frames with NumPy, in float64.

Run: python test/reference/simplex-frame.py   (needs numpy; writes simplex-frame.json beside itself)

U is from a QR decomposition by Householder reflections, its signs such that R has a positive diagonal.
"""

import json
import pathlib

import numpy as np

from noise import noise

frames = []
for size, classes in [(5, 2), (8, 4), (10, 10), (64, 20)]:
    q, r = np.linalg.qr(noise(f"frame{size}", size * classes).reshape(size, classes).astype(np.float64))
    u = q * np.sign(np.diag(r))
    frame = np.sqrt(classes / (classes - 1)) * u @ (np.eye(classes) - np.ones((classes, classes)) / classes)
    frames.append({"size": size, "classes": classes, "frame": [round(value, 9) for value in frame.flatten().tolist()]})

pathlib.Path(__file__).with_name("simplex-frame.json").write_text(json.dumps({"frames": frames}) + "\n")
