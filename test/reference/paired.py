"""Paired tests, Holm's correction, Friedman's test and Nemenyi's critical difference, for test/metrics/paired.test.ts.

    pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    python test/reference/paired.py > test/reference/paired.json
"""

import json

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(7)
cases = [[0.011, 0.004, -0.002], [0.02, 0.021], rng.normal(0.01, 0.01, 10).tolist(), rng.normal(0.3, 0.004, 5).tolist()]
paired = []
for values in cases:
    test = stats.ttest_1samp(values, 0)
    low, high = test.confidence_interval(0.95)
    paired.append({"differences": values, "p": test.pvalue, "interval": [low, high]})

families = [[0.01, 0.04, 0.03, 0.005], [0.5, 0.6, 0.001], [0.02]]
holm = [{"p": ps, "adjusted": multipletests(ps, method="holm")[1].tolist()} for ps in families]

ranks = []
for blocks, methods, ties in [(6, 4, False), (10, 7, True), (3, 3, True)]:
    values = rng.normal(0.8, 0.05, (blocks, methods))
    if ties:
        values = np.round(values, 1)
    test = stats.friedmanchisquare(*values.T)
    mean_ranks = np.mean([stats.rankdata(-row) for row in values], axis=0)
    q = stats.studentized_range.ppf(0.95, methods, np.inf) / np.sqrt(2)
    ranks.append(
        {
            "values": values.tolist(),
            "statistic": test.statistic,
            "p": test.pvalue,
            "meanRanks": mean_ranks.tolist(),
            "criticalDifference": q * np.sqrt(methods * (methods + 1) / (6 * blocks)),
        }
    )

# Critical values of Nemenyi's test at 5 %, for 2 to 10 methods: the studentized range with infinite degrees of freedom, over √2.
nemenyi = [
    {"methods": methods, "q": stats.studentized_range.ppf(0.95, methods, np.inf) / np.sqrt(2)} for methods in range(2, 11)
]

print(json.dumps({"paired": paired, "holm": holm, "ranks": ranks, "nemenyi": nemenyi}, indent=1))
