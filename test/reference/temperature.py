"""Reference numbers for test/plugins/temperature: temperatures with the lowest mean cross-entropy, by SciPy's bounded Brent.

Run: python test/reference/temperature.py   (needs numpy, scipy; writes temperature.json beside itself)
"""

import json
import pathlib

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from noise import noise

cases = []
for rows, classes, scale, right in [(40, 3, 1, 0.5), (200, 10, 8, 0.6), (100, 100, 0.2, 0.3), (60, 2, 30, 0.9)]:
    logits = (noise(f"temperature{rows}", rows * classes).reshape(rows, classes) * scale).astype(np.float32)
    chosen = noise(f"labels{rows}", rows) < 2 * right - 1
    labels = np.where(chosen, logits.argmax(1), (logits.argmax(1) + 1) % classes)

    def nll(log_t):
        return -log_softmax(logits.astype(np.float64) / np.exp(log_t), axis=1)[np.arange(rows), labels].mean()

    found = minimize_scalar(nll, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10})
    cases.append(
        {
            "rows": rows, "classes": classes, "scale": scale, "labels": labels.tolist(),
            "temperature": float(np.exp(found.x)), "nll": float(found.fun),
        }
    )

pathlib.Path(__file__).with_name("temperature.json").write_text(json.dumps({"cases": cases}) + "\n")
