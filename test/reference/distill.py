"""Reference numbers for test/plugins/distill: value and gradient of DiVE's loss in PyTorch, float64.

Run: python test/reference/distill.py   (needs torch; writes distill.json beside itself)

KL by torch.nn.functional.kl_div; the teacher's probabilities are raised to the power and normalised as such.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)

cases = []
for rows, classes, temperature, power, alpha in [(4, 3, 3, 1, 0.5), (6, 10, 2, 0.5, 0.3), (2, 100, 6, 0.5, 1), (3, 4, 1, 1, 0)]:
    student = torch.randn(rows, classes).mul(4).round(decimals=4).requires_grad_()
    teacher = torch.randn(rows, classes).mul(6).round(decimals=4)
    labels = torch.randint(0, classes, (rows,))
    counts = torch.logspace(3, 1, classes).round()
    t = F.softmax(teacher / temperature, dim=1) ** power
    t = t / t.sum(1, keepdim=True)
    divergence = F.kl_div(F.log_softmax(student / temperature, dim=1), t, reduction="none").sum(1) * temperature**2
    balanced = F.cross_entropy(student + counts.log(), labels, reduction="none")
    loss = ((1 - alpha) * balanced + alpha * divergence).mean()
    (gradient,) = torch.autograd.grad(loss, student)
    cases.append(
        {
            "options": {"temperature": temperature, "power": power, "alpha": alpha},
            "student": student.tolist(), "teacher": teacher.tolist(), "labels": labels.tolist(), "counts": counts.tolist(),
            "divergence": divergence.tolist(), "loss": loss.item(), "gradient": gradient.tolist(),
        }
    )

pathlib.Path(__file__).with_name("distill.json").write_text(json.dumps({"cases": cases}) + "\n")
