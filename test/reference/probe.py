"""Classifiers on features of torchvision's published MobileNetV2, by scikit-learn, for test/cli/probe.slow.test.ts.

    python3 test/reference/probe.py mobilenet_v2-b0353104.pth CIFAR10    # PyTorch 1.13.0, Pillow 9.4, scikit-learn 1.9.1

CIFAR10 has train/CLASS/*.jpg and test/CLASS/*.jpg. Of class c (of 10, by name) the first min(120, 5000 * 100^(-c/9)) training images
are trained on and the first 150 test images are tested on. Images are scaled to 128 x 128 (Pillow, bilinear) and normalised by
ImageNet's statistics; the features are the 1,280 that the classifier takes, by the network of published.py, which is written from
the paper. Class means are compared by cosine; LogisticRegression has its defaults (C = 1, L2, L-BFGS).
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from published import MobileNetV2

weights, root = sys.argv[1], pathlib.Path(sys.argv[2])
net = MobileNetV2(1, 1000)
net.load_state_dict(torch.load(weights, map_location="cpu"), strict=True)
net.eval()
taken = []
net.classifier.register_forward_hook(lambda _, inputs, __: taken.append(inputs[0].numpy()))
classes = sorted(path.name for path in (root / "train").iterdir())
counts = [min(120, int(5000 * 0.01 ** (c / 9))) for c in range(10)]


def features(part, counts):
    rows, labels = [], []
    for label, name in enumerate(classes):
        files = sorted((root / part / name).glob("*.jpg"))[: counts[label]]
        images = [np.asarray(Image.open(f).convert("RGB").resize((128, 128), Image.BILINEAR)) for f in files]
        x = (np.stack(images) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        with torch.no_grad():
            for at in range(0, len(x), 50):
                net(torch.from_numpy(x[at : at + 50]).float().permute(0, 3, 1, 2))
        labels += [label] * len(files)
    rows = np.concatenate(taken)
    taken.clear()
    return rows, np.array(labels)


def balanced(predicted):
    return {"balanced": round(100 * recall_score(test_labels, predicted, average="macro"), 2),
            "perClass": [round(100 * v, 2) for v in recall_score(test_labels, predicted, average=None)]}


train, train_labels = features("train", counts)
test, test_labels = features("test", [150] * 10)
means = np.stack([train[train_labels == c].mean(0) for c in range(10)])
unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
results = {"counts": counts, "classMeans": balanced((unit(test) @ unit(means).T).argmax(1))}
for name, weight in [("logistic", None), ("logisticBalanced", "balanced")]:
    model = LogisticRegression(class_weight=weight, max_iter=5000).fit(train, train_labels)
    results[name] = balanced(model.predict(test))
print(json.dumps(results, indent=1))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(results) + "\n")
