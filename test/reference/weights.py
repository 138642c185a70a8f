"""Writes test/weights/fixtures: small files of weights as PyTorch and safetensors write them, and what is in them.

    python3 test/reference/weights.py    # PyTorch 1.6 or later, safetensors; written with 1.13.0 and 0.8

expected.json has, for each file, shape, dtype and values (as float32) of every array.
"""

import json
import os
import sys
from collections import OrderedDict

import torch
from safetensors.torch import save_file

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "weights", "fixtures")
torch.manual_seed(7)
WORDS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}

whole = torch.randn(4, 6)
special = torch.tensor([0.0, -0.0, 1.0, -2.5, 65504.0, 6.1e-5, 5.96e-8, 1e-3, float("inf"), float("-inf")])
arrays = OrderedDict(
    float32=torch.randn(3, 2, 2),
    transposed=torch.randn(2, 5).t(),
    permuted=torch.randn(2, 3, 4).permute(2, 0, 1),
    rows=whole[1:3],
    columns=whole[:, 2:4],
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    float64=torch.randn(3, dtype=torch.float64),
    float16=special.half(),
    bfloat16=torch.cat([special, torch.tensor([3.0e38, 1.0e-39])]).bfloat16(),
    num_batches_tracked=torch.tensor(12345678901),
    int32=torch.tensor([-3, 7], dtype=torch.int32),
    int16=torch.tensor([-300, 7], dtype=torch.int16),
    int8=torch.tensor([-3, 7], dtype=torch.int8),
    uint8=torch.tensor([0, 255], dtype=torch.uint8),
    bool=torch.tensor([True, False]),
)
expected = {}


def keep(name, tensors):
    def value(x):
        return x if abs(x) != float("inf") else ("inf" if x > 0 else "-inf")

    expected[name] = {
        key: {
            "shape": list(t.shape),
            "dtype": WORDS[t.dtype],
            "values": [value(x) for x in t.detach().to(torch.float32).reshape(-1).tolist()],
        }
        for key, t in tensors.items()
    }


def save(name, what, tensors, **options):
    torch.save(what, os.path.join(folder, name), **options)
    keep(name, tensors)


model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
save("arrays.pth", arrays, arrays)
save("arrays-legacy.pth", arrays, arrays, _use_new_zipfile_serialization=False)
save("model.pth", model.state_dict(), model.state_dict())
save("model-legacy.pth", model.state_dict(), model.state_dict(), _use_new_zipfile_serialization=False)
save("parameters.pth", dict(model.named_parameters()), dict(model.named_parameters()))
wrapped = {f"module.{k}": v for k, v in model.state_dict().items()}
save("checkpoint.pth", {"epoch": 3, "best": 0.5, "name": "a", "state_dict": wrapped}, model.state_dict())
torch.save(model, os.path.join(folder, "object.pth"))
torch.jit.script(model).save(os.path.join(folder, "script.pt"))

plain = {name: t.contiguous().clone() for name, t in arrays.items()}
save_file(plain, os.path.join(folder, "arrays.safetensors"), metadata={"format": "pt"})
keep("arrays.safetensors", plain)
names = list(plain)
index = {"metadata": {"total_size": 0}, "weight_map": {}}
for i, part in enumerate([names[:7], names[7:]]):
    file = f"part-{i + 1}-of-2.safetensors"
    save_file({n: plain[n] for n in part}, os.path.join(folder, file))
    index["weight_map"].update({n: file for n in part})
with open(os.path.join(folder, "parts.safetensors.index.json"), "w") as f:
    json.dump(index, f)
keep("parts.safetensors.index.json", plain)

with open(os.path.join(folder, "expected.json"), "w") as f:
    json.dump(expected, f)
    f.write("\n")
print(sys.version.split()[0], torch.__version__)
