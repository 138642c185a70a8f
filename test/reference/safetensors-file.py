"""Writes safetensors-file.safetensors with the safetensors package, and reads one written by tailmix.

    pip install safetensors numpy
    python safetensors-file.py              writes the fixture beside this script
    python safetensors-file.py FILE...      prints what the package reads in each file, as JSON
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

if len(sys.argv) == 1:
    save_file(
        {
            "counts": np.array([5000, -3, 2**31 - 1], dtype=np.int32),
            "empty": np.zeros((0, 4), dtype=np.float32),
            "kernel": np.array([[0.5, -1.25, 3e38], [1e-45, 0.1, -0.0]], dtype=np.float32),
            "scalar": np.array(7.5, dtype=np.float32),
        },
        Path(__file__).with_suffix(".safetensors"),
        {"note": "ü 100 %"},
    )
for path in sys.argv[1:]:
    with safe_open(path, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}
        described = {
            name: {"dtype": str(a.dtype), "shape": a.shape, "values": a.ravel().tolist()} for name, a in arrays.items()
        }
        print(json.dumps({"metadata": file.metadata(), "tensors": described}))
