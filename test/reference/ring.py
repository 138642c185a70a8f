"""
Sums of TensorFlow's ring all-reduce (CollectiveReduceV2) among logical CPU devices of one process, as SHA-256 of the
result's bytes: what the sums of replicas in one process must equal to the bit.

    pip install tensorflow-cpu==2.21.0
    python test/reference/ring.py > test/reference/ring.json
"""

import hashlib
import json
import threading

import numpy as np
import tensorflow as tf

RANKS = [2, 3, 4, 5]
LENGTHS = [1, 15, 16, 17, 48, 64, 960, 3840, 5000, 464154, 2**21]


def values(rank: int, length: int) -> np.ndarray:
    """A linear congruential generator, the same in the test: floats of many sizes, so that the order of sums shows."""
    state = np.uint32(rank + 1)
    out = np.empty(length, np.uint32)
    for i in range(length):
        state = np.uint32((int(state) * 1664525 + 1013904223) % 2**32)
        out[i] = state
    mantissa = (out >> 8).astype(np.float64) / 2**24 - 0.5
    return (mantissa * 2.0 ** (out % 16).astype(np.float64)).astype(np.float32)


def reduce(ranks: int, length: int, key: int) -> str:
    results = [None] * ranks

    def run(rank: int) -> None:
        with tf.device(f"/device:CPU:{rank}"):
            results[rank] = tf.raw_ops.CollectiveReduceV2(
                input=tf.constant(inputs[rank][:length]),
                group_size=ranks,
                group_key=ranks,
                instance_key=key,
                ordering_token=[],
                merge_op="Add",
                final_op="Id",
                communication_hint="ring",
            ).numpy()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, results[0]) for result in results)
    return hashlib.sha256(results[0].tobytes()).hexdigest()


tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * max(RANKS)
)
inputs = [values(rank, max(LENGTHS)) for rank in range(max(RANKS))]
sums = [
    {"ranks": ranks, "length": length, "sha256": reduce(ranks, length, 1000 * ranks + i)}
    for ranks in RANKS
    for i, length in enumerate(LENGTHS)
]
print(json.dumps({"source": f"TensorFlow {tf.__version__}, CollectiveReduceV2", "sums": sums}, indent=2))
