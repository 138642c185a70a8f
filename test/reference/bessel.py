"""Modified Bessel functions for bessel.json, by SciPy in float64: log I_n(x) - x and I_(n+1)(x) / I_n(x).

python bessel.py > bessel.json
"""
import json

import numpy as np
import scipy
from scipy.special import ive

ORDERS = [0, 0.5, 1, 3, 7, 15, 15.5, 16, 31, 63]
ARGUMENTS = [0.05, 0.3, 1, 4, 10, 30, 100, 606, 3000, 1e5]
cases = []
for n in ORDERS:
    for x in ARGUMENTS:
        value, above = ive(n, x), ive(n + 1, x)
        if above > 1e-280:
            cases.append({"order": n, "x": x, "log": float(np.log(value)), "ratio": float(above / value)})
print(json.dumps({"scipy": scipy.__version__, "cases": cases}))
