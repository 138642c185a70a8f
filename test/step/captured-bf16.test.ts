import { expect, test } from 'vitest';
import { cpuFeatures } from '../../src/backend/cpu.ts';
import { batchNorm, relu, softmaxCrossEntropy } from '../../src/backend/kernels/index.ts';
import { dropUnused, mergeEqual } from '../../src/graph/prune.ts';
import { DT, type OpNode, type Recording } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import { toBfloat16 } from '../../src/step/captured/bf16.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { ofRank, tf } from '../../src/tf.ts';
import { describeNative, programOf, relativeDistance, signature, waves } from './captured-support.ts';

const shapes = { first: [3, 3, 3, 8], second: [3, 3, 8, 8], third: [3, 3, 8, 8], dense: [8, 4] };
const norms = { scale: [8], shift: [8] };
const names = [...Object.keys(shapes), ...Object.keys(norms)];

/** Convolutions, batch norm, a residual block, both poolings and padding, then SGD with weight decay. */
const step: GraphFunction = (state, { images, labels, learningRate }) => {
  const gradients = tf.valueAndGrads((...trained: tf.Tensor[]) => {
    const weights: NamedTensors = Object.fromEntries(names.map((name, i) => [name, trained[i]!]));
    const conv = (x: tf.Tensor, name: string) => x.conv2d(ofRank(weights[name], 4), 1, 'same');
    const norm = (x: tf.Tensor) => {
      const [scale, shift] = [weights.scale!, weights.shift!];
      return batchNorm(x, scale, shift, tf.zeros([8]), tf.ones([8]), { training: true }).y;
    };
    const top = relu(norm(conv(images!.mul(2 / 255), 'first'))).maxPool(2, 2, 'valid');
    const x = tf.avgPool(
      tf.pad(top, [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ]),
      2,
      2,
      'valid',
    );
    const inner = relu(norm(conv(x, 'second')));
    const sum = relu(norm(conv(inner, 'third')).add(x));
    const logits = tf.matMul(tf.mean(sum, [1, 2]), weights.dense!);
    return softmaxCrossEntropy(logits, labels!).mean<tf.Scalar>();
  })(names.map((name) => state[name]!));
  const next = Object.fromEntries(
    names.map((name, i) => {
      const decayed = gradients.grads[i]!.add(state[name]!.mul(1e-3));
      return [name, state[name]!.sub(decayed.mul(learningRate!))];
    }),
  );
  return { state: next, outputs: { loss: gradients.value } };
};

const inputs = {
  images: [[8, 8, 8, 3], 'uint8'],
  labels: [[8], 'int32'],
  learningRate: [[], 'float32'],
} as const;
const call = signature('step', inputs);
const program = programOf(step, inputs, {
  ...waves({ ...shapes, ...norms }),
  scale: { shape: [8], values: new Float32Array(8).fill(1) },
});
const batch = (n: number) => ({
  images: Uint8Array.from({ length: 8 * 192 }, (_, i) => (i * i + 31 * i + 97 * n) % 256),
  labels: Int32Array.from({ length: 8 }, (_, i) => (i + n) % 4),
  learningRate: Float32Array.of(0.02),
});

const typesOf = (recording: Recording) => {
  const types: Record<string, Set<number>> = {};
  for (const node of recording.nodes) {
    if (node.kind !== 'op' || node.attributes.T?.kind !== 'type') continue;
    types[node.op] ??= new Set();
    types[node.op]!.add(node.attributes.T.value);
  }
  return Object.fromEntries(Object.entries(types).map(([op, set]) => [op, [...set].sort((a, b) => a - b)]));
};

describeNative('bfloat16', (use) => {
  // Without AVX-512 TensorFlow falls back to Eigen, which sums convolution gradients in bfloat16.
  const bound = cpuFeatures()?.avx512 ? 0.15 : 0.3;
  const record = () => {
    const shapes = createShapeInference(use().binding!);
    return mergeEqual(dropUnused(trace(step, call, { shapes, state: program.state })));
  };

  test('convolutions and what lies between them change type; loss, update and statistics do not', () => {
    const recording = record();
    const half = toBfloat16(recording, () => true);
    const [bf16, fp32] = [[DT.bfloat16], [DT.float32]];
    expect(typesOf(half)).toMatchObject({
      Conv2D: bf16,
      Conv2DBackpropInput: bf16,
      Conv2DBackpropFilter: bf16,
      FusedBatchNormV3: bf16,
      FusedBatchNormGradV3: bf16,
      Relu: bf16,
      ReluGrad: bf16,
      MaxPool: bf16,
      MaxPoolGrad: bf16,
      AvgPool: bf16,
      AvgPoolGrad: bf16,
      PadV2: bf16,
      Slice: bf16,
      Add: [DT.float32, DT.bfloat16],
      SparseSoftmaxCrossEntropyWithLogits: fp32,
      Mul: fp32,
      Sub: fp32,
    });
    for (const node of half.nodes) {
      if (node.kind === 'op' && node.op.startsWith('FusedBatchNorm')) {
        expect(node.attributes.U).toEqual({ kind: 'type', value: DT.float32 });
        expect(node.outputs.slice(1).every(({ dtype }) => dtype === DT.float32)).toBe(true);
      }
    }
    for (const { node, output } of Object.values({ ...half.state, ...half.outputs })) {
      expect(half.nodes[node]!.outputs[output]!.dtype).toBe(DT.float32);
    }
    const casts = (part: Recording) =>
      part.nodes.filter((node): node is OpNode => node.kind === 'op' && node.op === 'Cast');
    const convolutions = 3;
    // One cast per kernel and per kernel's gradient, for the images, out of the network, back into it, for the padding's value.
    expect(casts(half).length - casts(recording).length).toBe(2 * convolutions + 4);
  });

  test('an op without a kernel stays in float32', () => {
    const half = toBfloat16(record(), ({ op }) => op !== 'MaxPoolGrad' && op !== 'Conv2DBackpropInput');
    expect(typesOf(half)).toMatchObject({
      Conv2D: [DT.bfloat16],
      MaxPoolGrad: [DT.float32],
      Conv2DBackpropInput: [DT.float32],
    });
  });

  test('20 steps follow float32 within bfloat16 rounding, with float32 weights', () => {
    const exact = createCapturedEngine(program, use());
    const half = createCapturedEngine(program, use(), { precision: 'bf16' });
    const [first, firstHalf] = [exact, half].map((engine) => engine.run(call, batch(0)).loss![0]!);
    expect(firstHalf).not.toBe(first);
    expect(Math.abs(firstHalf! / first! - 1)).toBeLessThan(0.01);
    const before = Object.fromEntries(names.map((name) => [name, program.state[name]!.values]));
    const moved = (engine: typeof exact) => {
      const now = engine.read();
      return Object.fromEntries(names.map((name) => [name, now[name]!.map((value, i) => value - before[name]![i]!)]));
    };
    expect(relativeDistance(moved(half), moved(exact))).toBeLessThan(bound);
    const losses = [exact, half].map((engine) => {
      let loss = 0;
      for (let n = 1; n < 20; n++) loss = engine.run(call, batch(n)).loss![0]!;
      return loss;
    });
    expect(losses[0]!).toBeLessThan(first!);
    expect(Math.abs(losses[1]! / losses[0]! - 1)).toBeLessThan(0.02);
    const bits = new Uint32Array(half.read(['dense']).dense!.buffer);
    expect(bits.some((word) => (word & 0xffff) !== 0)).toBe(true);
    exact.dispose();
    half.dispose();
  });
});
