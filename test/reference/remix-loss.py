"""Loss of six mixed samples under Remix, worked sample by sample, and the batch-averaged form that is not Remix.

Writes remix-loss.json. Standard library only. Counts 300, 100, 20; kappa 3; tau 0.5; lambda 0.3 for the whole batch.
Label weights are typed in from eq. 10, row by row, not computed:

  i  class (n)  partner (n)  ratio       eq. 10                                   label weight
  0  0 (300)    1 (100)      3   >= 3    0.3 < 0.5: all to the partner            0
  1  1 (100)    2 (20)       5   >= 3    0.3 < 0.5: all to the partner            0
  2  2 (20)     0 (300)      1/15 <= 1/3 0.7 is not < 0.5: unchanged              0.3
  3  0 (300)    0 (300)      1           unchanged                                0.3
  4  1 (100)    1 (100)      1           itself as partner: unchanged             0.3
  5  2 (20)     1 (100)      1/5 <= 1/3  0.7 is not < 0.5: unchanged              0.3
"""

import json
import math
from pathlib import Path

labels = [0, 1, 2, 0, 1, 2]
pair = [1, 2, 3, 0, 4, 1]
label_weight = [0, 0, 0.3, 0.3, 0.3, 0.3]
logits = [[2, 0, -1], [1, 1, 0], [0, -2, 3], [-1, 2, 0], [0, 1, 1], [3, 0, -2]]
class_weights = [0.25, 0.5, 2.25]


def cross_entropy(row, label):
    return math.log(sum(math.exp(z) for z in row)) - row[label]


own = [cross_entropy(z, y) for z, y in zip(logits, labels)]
other = [cross_entropy(z, labels[j]) for z, j in zip(logits, pair)]
size = len(labels)

per_sample = sum(w * a + (1 - w) * b for w, a, b in zip(label_weight, own, other)) / size
mean_weight = sum(label_weight) / size
averaged = mean_weight * sum(own) / size + (1 - mean_weight) * sum(other) / size

weighted = weights = 0
for i in range(size):
    a = label_weight[i] * class_weights[labels[i]]
    b = (1 - label_weight[i]) * class_weights[labels[pair[i]]]
    weighted += a * own[i] + b * other[i]
    weights += a + b

result = {
    "labels": labels,
    "pair": pair,
    "lambda": 0.3,
    "classCounts": [300, 100, 20],
    "logits": logits,
    "classWeights": class_weights,
    "labelWeight": label_weight,
    "perSample": per_sample,
    "batchAveraged": averaged,
    "weightedMean": weighted / weights,
    "plainMean": weighted / size,
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
print(per_sample, averaged, weighted / weights, weighted / size)
