import { describe, expect, test } from 'vitest';
import { composedSgdStep, type SgdOptions, sgdStep } from '../../src/backend/kernels/sgd.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { hasCustomOps } from '../../src/backend/native.ts';
import { packState } from '../../src/graph/pack.ts';
import { dropUnused, mergeEqual } from '../../src/graph/prune.ts';
import { DT, type OpNode, type Recording } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import { toBfloat16 } from '../../src/step/captured/bf16.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { bothEngines, programOf, signature, wave, waves } from './captured-support.ts';

const backend = await loadBackend('native').catch(() => null);
const missing = hasCustomOps() ? null : "tailmix's custom ops are not loaded: see `tailmix doctor`";
if (missing !== null) console.warn(`SKIPPED: the custom update of momentum, ${missing}`);

const tensor = (shape: readonly number[], phase: number): tf.Tensor =>
  tf.tensor(wave(sizeOf(shape), phase), [...shape]);

const options: SgdOptions[] = [true, false].flatMap((nesterov) =>
  [0, 5e-4].map((weightDecay) => ({ momentum: 0.9, nesterov, weightDecay })),
);

/** A large array alone, small ones that are packed; the gradient of `third` is a result too. */
const state = waves({ large: [257, 300], first: [3, 5], second: [17], third: [40] });
const names = Object.keys(state);
const slots = Object.fromEntries(names.map((name) => [`v/${name}`, state[name]!]));
const inputs = { x: [[], 'float32'], rate: [[], 'float32'] } as const;

const step: GraphFunction = (before, { x, rate }) => {
  const gradients = Object.fromEntries(names.map((name) => [name, before[name]!.mul(x!).sin()]));
  const next = names.flatMap((name) => {
    const after = sgdStep(before[name]!, before[`v/${name}`]!, gradients[name]!, rate!, options[1]!);
    return [[name, after.weight] as const, [`v/${name}`, after.velocity] as const];
  });
  return { state: Object.fromEntries(next), outputs: { gradient: gradients.third!, large: gradients.large!.sum() } };
};

const filterShape: [number, number, number, number] = [1, 1, 16, 32];
/** A weight whose gradient comes in bfloat16. */
const convolved: GraphFunction = ({ w, v }, { x, rate }) => {
  const total = (filter: tf.Tensor): tf.Scalar => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same').sum();
  const after = sgdStep(w!, v!, tf.grad(total)(w!), rate!, options[1]!);
  return { state: { w: after.weight, v: after.velocity }, outputs: {} };
};
const convolutionInputs = { x: [[2, 3, 3, 16], 'float32'], rate: [[], 'float32'] } as const;

describe.skipIf(missing !== null)("tailmix's custom update of momentum", () => {
  const record = (fn: GraphFunction, given: typeof inputs | typeof convolutionInputs, before: typeof state) => {
    const shapes = createShapeInference(backend!.binding!);
    return mergeEqual(dropUnused(trace(fn, signature('step', given), { shapes, state: before })));
  };
  const updates = ({ nodes }: Recording): OpNode[] =>
    nodes.filter((node): node is OpNode => node.kind === 'op' && node.op === 'TailmixSgd');

  /** The last is cut among threads. */
  test.each([[[]], [[1]], [[16]], [[3, 7]], [[5, 7001]]])('shape %j: as the composed one, to the bit', (shape) => {
    for (const given of options) {
      const [weight, velocity, gradient] = [1, 2, 3].map((phase) => tensor(shape, phase));
      const own = sgdStep(weight!, velocity!, gradient!, tf.scalar(0.1), given);
      const composed = composedSgdStep(weight!, velocity!, gradient!, tf.scalar(0.1), given);
      expect(own.weight.dataSync(), JSON.stringify(given)).toEqual(composed.weight.dataSync());
      expect(own.velocity.dataSync(), JSON.stringify(given)).toEqual(composed.velocity.dataSync());
      expect(gradient!.dataSync()).toEqual(wave(sizeOf(shape), 3));
    }
  });

  test('what cannot be computed is an error, not a wrong result', () => {
    const run = (gradient: number[], rate: tf.Tensor): (() => void) => {
      const after = () => sgdStep(tf.zeros([2, 3]), tf.zeros([2, 3]), tf.zeros(gradient), rate, options[0]!);
      return () => void after().weight.dataSync();
    };
    expect(run([3, 2], tf.scalar(0.1))).toThrow('velocity and gradient: expected the shape of weight');
    expect(run([2, 3], tf.tensor1d([0.1]))).toThrow('rate: expected a scalar');
  });

  test('captured, over packed arrays once, it equals eager steps; a gradient that is used elsewhere stays', () => {
    const before = { ...state, ...slots };
    const { recordings, variables } = packState([record(step, inputs, before)], before);
    expect(variables['packed/0']?.members.map(({ name }) => name)).toEqual(['first', 'second', 'third']);
    expect(variables['packed/1']?.members.map(({ name }) => name)).toEqual(['v/first', 'v/second', 'v/third']);
    expect(updates(recordings[0]!).map(({ outputs }) => outputs.map(({ shape }) => shape))).toEqual([
      [
        [257, 300],
        [257, 300],
      ],
      [[72], [72]],
    ]);
    const engines = bothEngines(programOf(step, inputs, before), backend!);
    for (let n = 0; n < 10; n++) {
      const { eager, captured } = engines.run(signature('step', inputs), {
        x: Float32Array.of(n / 10 + 1),
        rate: Float32Array.of(0.1),
      });
      expect(captured.gradient).toEqual(eager.gradient);
    }
    expect(engines.captured.read()).toEqual(engines.eager.read());
    engines.dispose();
  });

  test('a gradient in bfloat16 is widened inside, without a cast', () => {
    const before = waves({ w: filterShape, v: filterShape });
    const recording = record(convolved, convolutionInputs, before);
    const half = toBfloat16(recording, () => true);
    const [update] = updates(half);
    const gradient = half.nodes[update!.inputs[2]!.node] as OpNode;
    expect([update!.attributes.T, gradient.op]).toEqual([{ kind: 'type', value: DT.bfloat16 }, 'Conv2DBackpropFilter']);

    // Whole numbers, and sums of them that bfloat16 holds: both precisions compute the same.
    const engines = (['bf16', 'fp32'] as const).map((precision) =>
      createCapturedEngine(programOf(convolved, convolutionInputs, before), backend!, { precision }),
    );
    const [bf16, fp32] = engines.map((engine) => {
      engine.run(signature('step', convolutionInputs), {
        x: Float32Array.from({ length: 288 }, (_, i) => (i % 5) - 1),
        rate: Float32Array.of(0.1),
      });
      const after = engine.read();
      engine.dispose();
      return after;
    });
    expect(bf16).toEqual(fp32);
  });
});
