"""Numbers that the reference scripts and the tests both compute, so that no arrays need to be stored."""

import numpy as np


def noise(key, size):
    """In [-1, 1), float32: a 32-bit mixing function of the index, seeded with the FNV-1a hash of the key."""
    seed = 0x811C9DC5
    for letter in key.encode():
        seed = ((seed ^ letter) * 0x01000193) & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        h = np.arange(size, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(seed)
        h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        h = h ^ (h >> np.uint32(16))
    return (h.astype(np.float64) / 2**31 - 1).astype(np.float32)
