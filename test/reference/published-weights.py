"""Prints the SHA-256 over the name and float32 bytes of each array of a PyTorch file.

    python3 test/reference/published-weights.py mobilenet_v2-b0353104.pth    # PyTorch 1.13.0
"""

import hashlib
import sys

import torch

state = torch.load(sys.argv[1], map_location="cpu")
digest = hashlib.sha256()
for name, tensor in state.items():
    digest.update(name.encode())
    digest.update(tensor.float().contiguous().numpy().tobytes())
print(len(state), digest.hexdigest())
