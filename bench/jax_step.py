"""JAX's side of bench/device.mjs: waits for `train N`, `predict N` or `quit` on standard input, answers in JSON lines.

The networks and the step of pytorch_step.py in plain jax.numpy: a new uint8 batch, normalise, Mixup with Remix's label weights, SGD with
momentum and weight decay, all in one jitted function whose state is donated. A loss is read while the next step is computed.
bf16: convolutions and what lies between them; statistics, weights, loss and update are float32. float32 is computed as such (no TF32).
"""

import argparse
import functools
import json
import math
import resource
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

BATCHES, KAPPA, TAU = 8, 3, 0.5
NETWORKS = {
    # widths, depths, bottleneck, shortcut, ImageNet's stem
    "resnet32": ([16, 32, 64], [5, 5, 5], False, "A", False),
    "resnet18-cifar": ([64, 128, 256, 512], [2, 2, 2, 2], False, "B", False),
    "resnet50": ([64, 128, 256, 512], [3, 4, 6, 3], True, "B", True),
}

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=NETWORKS, required=True)
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--size", type=int, required=True)
parser.add_argument("--classes", type=int, default=10)
parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
args = parser.parse_args()

jax.config.update("jax_default_matmul_precision", "highest")
widths, depths, bottleneck, option, imagenet = NETWORKS[args.model]
half = jnp.bfloat16 if args.precision == "bf16" else jnp.float32
random = np.random.default_rng(0)
weights, statistics = {}, {}


def new_conv(name, size, inputs, outputs):
    deviation = math.sqrt(2 / (size * size * outputs))
    weights[name] = random.normal(0, deviation, (size, size, inputs, outputs)).astype(np.float32)
    weights[name + "/scale"], weights[name + "/shift"] = np.ones(outputs, np.float32), np.zeros(outputs, np.float32)
    statistics[name + "/mean"], statistics[name + "/variance"] = np.zeros(outputs, np.float32), np.ones(outputs, np.float32)


def blocks():
    """Name, channels in, width, stride of each block."""
    inputs = widths[0]
    for i, (width, depth) in enumerate(zip(widths, depths)):
        for j in range(depth):
            yield f"stage{i}/block{j}", inputs, width, 2 if i > 0 and j == 0 else 1
            inputs = width * (4 if bottleneck else 1)


new_conv("stem", 7 if imagenet else 3, 3, widths[0])
for name, inputs, width, stride in blocks():
    outputs = width * (4 if bottleneck else 1)
    if bottleneck:
        for k, (size, before, after) in enumerate([(1, inputs, width), (3, width, width), (1, width, outputs)]):
            new_conv(f"{name}/conv{k}", size, before, after)
    else:
        new_conv(f"{name}/conv0", 3, inputs, width)
        new_conv(f"{name}/conv1", 3, width, width)
    if option == "B" and (stride != 1 or inputs != outputs):
        new_conv(f"{name}/shortcut", 1, inputs, outputs)
weights["classifier"] = random.normal(0, 0.01, (outputs, args.classes)).astype(np.float32)
weights["classifier/bias"] = np.zeros(args.classes, np.float32)


def network(weights, statistics, x, training):
    carried = {}

    def conv(name, x, stride=1, relu=True):
        kernel = weights[name].astype(half)
        pad = (kernel.shape[0] - 1) // 2
        y = lax.conv_general_dilated(x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        y = y.astype(jnp.float32)
        if training:
            mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
            carried[name + "/mean"] = 0.9 * statistics[name + "/mean"] + 0.1 * mean
            carried[name + "/variance"] = 0.9 * statistics[name + "/variance"] + 0.1 * variance
        else:
            mean, variance = statistics[name + "/mean"], statistics[name + "/variance"]
        y = (y - mean) * (lax.rsqrt(variance + 1e-5) * weights[name + "/scale"]) + weights[name + "/shift"]
        return (jax.nn.relu(y) if relu else y).astype(half)

    x = conv("stem", x.astype(half), 2 if imagenet else 1)
    if imagenet:
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    for name, inputs, width, stride in blocks():
        outputs = width * (4 if bottleneck else 1)
        if bottleneck:
            y = conv(f"{name}/conv0", x)
            y = conv(f"{name}/conv2", conv(f"{name}/conv1", y, stride), relu=False)
        else:
            y = conv(f"{name}/conv1", conv(f"{name}/conv0", x, stride), relu=False)
        if option == "B" and (stride != 1 or inputs != outputs):
            x = conv(f"{name}/shortcut", x, stride, relu=False)
        elif stride != 1 or inputs != outputs:
            extra = (outputs - inputs) // 2
            x = jnp.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (extra, extra)])
        x = jax.nn.relu(x + y)
    features = x.astype(jnp.float32).mean((1, 2))
    return features @ weights["classifier"] + weights["classifier/bias"], carried


def normalise(pixels):
    return pixels.astype(jnp.float32) * (1 / (255 * 0.25)) - 0.5 / 0.25


@functools.partial(jax.jit, donate_argnums=(0, 1, 2))
def step(weights, momenta, statistics, pixels, y, order, weight, label_weight):
    def loss_of(weights):
        x = normalise(pixels)
        logits, carried = network(weights, statistics, weight * x + (1 - weight) * x[order], True)
        entropy = -jax.nn.log_softmax(logits)
        own, other = (jnp.take_along_axis(entropy, labels[:, None], 1)[:, 0] for labels in (y, y[order]))
        return (label_weight * own + (1 - label_weight) * other).mean(), carried

    (loss, carried), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
    momenta = {name: 0.9 * momenta[name] + gradients[name] + 2e-4 * weights[name] for name in weights}
    return {name: weights[name] - 0.1 * momenta[name] for name in weights}, momenta, carried, loss


@jax.jit
def logits_of(weights, statistics, pixels):
    return network(weights, statistics, normalise(pixels), False)[0]


device = jax.devices()[0]
images = random.integers(0, 256, (BATCHES, args.batch, args.size, args.size, 3), dtype=np.uint8)
labels = random.integers(0, args.classes, (BATCHES, args.batch), dtype=np.int32)
counts = np.logspace(3.7, 1.7, args.classes)
state = jax.device_put((weights, {name: np.zeros_like(value) for name, value in weights.items()}, statistics), device)


def train(i):
    global state
    y, order, weight = labels[i % BATCHES], random.permutation(args.batch).astype(np.int32), np.float32(random.random())
    ni, nj = counts[y], counts[y[order]]
    label_weight = np.full(args.batch, weight, np.float32)
    label_weight[(ni >= KAPPA * nj) & (label_weight < TAU)] = 0
    label_weight[(nj >= KAPPA * ni) & (1 - weight < TAU)] = 1
    *state, loss = step(*state, images[i % BATCHES], y, order, weight, label_weight)
    return loss


def predict(i):
    return logits_of(state[0], state[2], images[i % BATCHES])


def run(work, count):
    unread = None
    for i in range(count):
        started = work(i)
        if unread is not None:
            np.asarray(unread)
        unread = started
    np.asarray(unread)


WORK = {"train": train, "predict": predict}
start = time.perf_counter()
for work in WORK.values():
    run(work, 3)
compile_ms = 1000 * (time.perf_counter() - start)
version = f"{jax.__version__}, {device.platform}, {device.device_kind}"
print(json.dumps({"ready": True, "version": version, "compileMs": compile_ms}), flush=True)
for line in sys.stdin:
    name, *rest = line.split()
    if name == "quit":
        break
    count = int(rest[0])
    start, cpu = time.perf_counter(), time.process_time()
    run(WORK[name], count)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    stats = device.memory_stats() or {}
    peak = stats.get("peak_bytes_in_use") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answer = {"imagesPerSecond": count * args.batch / seconds, "imagesPerCpuSecond": count * args.batch / cpu, "peakMemoryBytes": peak}
    print(json.dumps(answer), flush=True)
