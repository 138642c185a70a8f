import { describe, expect, test } from 'vitest';
import { cpuFeatures } from '../../src/backend/cpu.ts';
import { addRelu, batchNorm, relu } from '../../src/backend/kernels/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { hasCustomOps } from '../../src/backend/native.ts';
import { dropUnused, mergeEqual } from '../../src/graph/prune.ts';
import type { OpNode } from '../../src/graph/recording.ts';
import { createOpTrial } from '../../src/graph/runs-op.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction, HostOutputs } from '../../src/graph/types.ts';
import { toBfloat16 } from '../../src/step/captured/bf16.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { fuseNeighbours } from '../../src/step/captured/fuse.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { ofRank, tf } from '../../src/tf.ts';
import { bothEngines, programOf, relativeDistance, signature, wave, waves } from './captured-support.ts';

const backend = await loadBackend('native').catch(() => null);
const missing = hasCustomOps() ? null : "tailmix's custom ops are not loaded: see `tailmix doctor`";
if (missing !== null) console.warn(`SKIPPED: fused batch norm, ${missing}`);

const names = ['x', 'first', 'second', 'scale', 'shift', 'scale2', 'shift2'] as const;
const state = waves({
  x: [4, 5, 5, 16],
  first: [3, 3, 16, 16],
  second: [3, 3, 16, 16],
  scale: [16],
  shift: [16],
  scale2: [16],
  shift2: [16],
  mean: [16],
});

type Weights = Record<(typeof names)[number], tf.Tensor>;

const normalised = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor =>
  batchNorm(x, scale, shift, tf.zeros([16]), tf.ones([16]), {
    training: true,
  }).y;
const convolved = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor => x.conv2d(ofRank(kernel, 4), 1, 'same');

/** Gradients of all weights. */
const step =
  (forward: (weights: Weights) => tf.Tensor): GraphFunction =>
  (weights: NamedTensors) => {
    const total = (...inputs: tf.Tensor[]): tf.Scalar => {
      const y = forward(Object.fromEntries(names.map((name, i) => [name, inputs[i]!])) as Weights);
      return y.mul(tf.tensor(wave(y.size, 3), y.shape)).sum();
    };
    const { value, grads } = tf.valueAndGrads(total)(names.map((name) => weights[name]!));
    const outputs = Object.fromEntries(names.map((name, i) => [`d${name}`, grads[i]!]));
    return { state: {}, outputs: { value, ...outputs } };
  };

/** Uses what `names` has beside. */
const plain = (w: Weights) =>
  convolved(relu(normalised(convolved(w.x, w.first), w.scale, w.shift)), w.second)
    .mul(w.scale2)
    .add(w.shift2);
const block = (w: Weights) => {
  const x = convolved(w.x, w.second);
  const inner = relu(normalised(convolved(x, w.first), w.scale, w.shift));
  const y = addRelu(normalised(convolved(inner, w.second), w.scale2, w.shift2), x);
  return convolved(convolved(y, w.first).add(y), w.second);
};
const twoBranches = (w: Weights) =>
  addRelu(
    normalised(convolved(w.x, w.first), w.scale, w.shift),
    normalised(convolved(w.x, w.second), w.scale2, w.shift2),
  );
const usedTwice = (w: Weights) => {
  const y = normalised(convolved(w.x, w.first), w.scale, w.shift);
  return relu(y).add(y.square()).mul(w.scale2).add(w.shift2).add(w.second.sum());
};

describe.skipIf(missing !== null)('batch norm in training', () => {
  const record = (forward: (weights: Weights) => tf.Tensor) => {
    const shapes = createShapeInference(backend!.binding!);
    const recording = mergeEqual(dropUnused(trace(step(forward), signature('step'), { shapes, state })));
    return { recording, shapes };
  };
  const told = ({ nodes }: { nodes: readonly unknown[] }) =>
    (nodes as OpNode[])
      .filter(({ op }) => /^(TailmixBatchNorm|Relu)/.test(op ?? ''))
      .map(({ op, attributes }) => {
        const said = Object.entries(attributes)
          .filter(
            ([, { value }]) => value === true || (typeof value === 'number' && Number.isInteger(value) && value > 0),
          )
          .map(([name, { value }]) => `${name}=${value}`);
        return [op.replace('TailmixBatchNorm', 'Norm'), ...said.filter((text) => !text.startsWith('T='))].join(' ');
      });

  test.each([
    ['and ReLU', plain, ['Norm relu=true', 'NormGrad summands=1 relu=true']],
    [
      'in a residual block',
      block,
      [
        'Norm relu=true',
        'Norm residuals=1 relu=true',
        'NormGrad summands=2 outputs=1 kept=1 relu=true',
        'NormGrad summands=1 relu=true',
      ],
    ],
    [
      'in both branches',
      twoBranches,
      ['Norm', 'Norm residuals=1 relu=true', 'NormGrad summands=1 outputs=1 kept=1 relu=true', 'NormGrad summands=1'],
    ],
    ['that something else uses too', usedTwice, ['Norm', 'Relu', 'ReluGrad', 'NormGrad summands=1']],
  ] as const)('%s', (_, forward, expected) => {
    const { recording, shapes } = record(forward);
    expect(told(fuseNeighbours(recording)).sort()).toEqual([...expected].sort());
    const half = toBfloat16(recording, createOpTrial(shapes));
    expect(told(fuseNeighbours(half)).sort()).toEqual([...expected].sort());

    const engines = bothEngines(programOf(step(forward), {}, state), backend!);
    const { eager, captured } = engines.run(signature('step'), {});
    expect(captured).toEqual(eager);
    engines.dispose();

    const program = programOf(step(forward), {}, state);
    const bf16 = createCapturedEngine(program, backend!, { precision: 'bf16' });
    const rounded = bf16.run(signature('step'), {});
    // Where bfloat16 is emulated, TensorFlow's convolutions round more often.
    const bound = cpuFeatures()?.avx512 ? 0.06 : 0.09;
    for (const name of names) {
      const only = (outputs: HostOutputs): HostOutputs => ({ [name]: outputs[`d${name}`]! });
      expect(relativeDistance(only(rounded), only(eager)), name).toBeLessThan(bound);
    }
    bf16.dispose();
  });
});
