import { describe, expect, test } from 'vitest';
import classMeanHead, { meanKernel } from '../../plugins/class-mean-head/index.ts';
import { z } from '../../src/index.ts';
import { createClassMeans } from '../../src/long-tail/class-means.ts';
import { definePlugin, type InitialContext, type Plugin } from '../../src/plugin.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { noise, readReference } from '../models/reference.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { squares } from '../support/squares.ts';

interface Reference {
  rows: number;
  size: number;
  classes: number;
  labels: number[];
  directions: number[][];
}

describe('directions of class means', () => {
  const { rows, size, classes, labels, directions } = readReference<Reference>('class-means.json');
  const centres = Array.from({ length: classes }, (_, c) => noise(`class${c}`, size));
  const drawn = noise('features', rows * size);
  const features = drawn.map((value, i) => value + centres[labels[Math.floor(i / size)]!]![i % size]! / 2);

  test('are NumPy’s, whichever rows come together', () => {
    const means = createClassMeans(classes, size);
    for (const [from, to] of [
      [0, 10],
      [10, 11],
      [11, rows],
    ] as const) {
      means.add({ features: features.subarray(from * size, to * size), labels: labels.slice(from, to) });
    }
    const found = means.directions();
    directions.flat().forEach((value, i) => void expect(found[i]).toBeCloseTo(value, 7));
    expect([...found.slice(3 * size)].every(Number.isNaN)).toBe(true);
  });

  test('a mean of zeros is zeros', () => {
    const means = createClassMeans(1, 2);
    means.add({ features: Float32Array.of(1, -2, -1, 2), labels: [0, 0] });
    expect([...means.directions()]).toEqual([0, 0]);
  });

  test('are the columns of the kernel; a class without images keeps its own', () => {
    const kernel = meanKernel(Float64Array.of(1, 2, NaN, NaN, 5, 6), Float32Array.of(-1, -2, -3, -4, -5, -6), 3);
    expect([...kernel]).toEqual([1, -2, 5, 2, -5, 6]);
  });
});

const seen: { kernel: Float32Array; calls: number } = { kernel: new Float32Array(), calls: 0 };

/** Tells what a run begins with. */
const spy = definePlugin({
  name: 'spy',
  options: z.strictObject({}),
  async initialWeights({ valuesOf }: InitialContext) {
    seen.calls++;
    seen.kernel = valuesOf('classifier/kernel')!;
    expect(valuesOf('none')).toBeUndefined();
    return {};
  },
  apply() {},
});

const run = (changes: Partial<TrainerOptions> = {}): TrainerOptions => ({
  data: { ...squares(), augment: [] },
  model: { name: 'small-cnn', width: 2, head: 'cosine', scale: 10 },
  train: { epochs: 2, batchSize: 16, optimizer: { name: 'sgd', learningRate: 0.01 } },
  plugins: [classMeanHead(), spy()],
  ...changes,
});

describeNative('a run', () => {
  test('begins with the means of its own features, the same eager and captured, and once', async () => {
    seen.calls = 0;
    const kernels: Float32Array[] = [];
    for (const step of ['eager', 'captured'] as const) {
      const frozen = { start: { freeze: ['backbone', 'classifier/bias'].slice(0, 1), frozenNorm: 'running' as const } };
      const { snapshot } = await createTrainer(
        run({ ...frozen, train: { epochs: 1, batchSize: 16, step, optimizer: { name: 'sgd', learningRate: 1e-9 } } }),
      ).run();
      kernels.push(seen.kernel);
      // Nothing has moved it.
      snapshot!.state['classifier/kernel']!.values.forEach((v, i) => void expect(v).toBeCloseTo(seen.kernel[i]!, 5));
    }
    kernels[0]!.forEach((value, i) => void expect(kernels[1]![i]).toBeCloseTo(value, 5));
    expect(seen.calls).toBe(2);
    // Columns of length 1.
    const lengths = [0, 1, 2, 3].map((c) => Math.hypot(...kernels[0]!.filter((_, i) => i % 4 === c)));
    for (const length of lengths) expect(length).toBeCloseTo(1, 6);
  });

  test('that is resumed does not compute it again, and ends as without a break', async () => {
    const whole = await createTrainer(run()).run();
    const first = await createTrainer(run({ train: { ...run().train, epochs: 1 } })).run();
    seen.calls = 0;
    const resumed = await createTrainer(run({ resume: first.snapshot! })).run();
    expect(seen.calls).toBe(0);
    expect(resumed.snapshot!.state).toEqual(whole.snapshot!.state);
  });
});

describe('what a plugin gives is checked', () => {
  const giving = (initialWeights: () => unknown): Plugin =>
    definePlugin({
      name: 'giver',
      options: z.strictObject({}),
      initialWeights: initialWeights as () => Record<string, Float32Array>,
      apply() {},
    })();
  const messageOf = (initialWeights: () => unknown) =>
    messageOfError(() => createTrainer(run({ plugins: [giving(initialWeights)], backend: 'wasm' })).run());

  test.each([
    [() => null, '[giver] initialWeights: expected values by weight name; got null.'],
    [
      () => ({ nose: new Float32Array(1) }),
      '[giver] initialWeights: nose: expected a weight of the model; got a name that none has.',
    ],
    [
      () => ({ 'classifier/kernel': new Float32Array(3) }),
      '[giver] initialWeights: classifier/kernel: expected a Float32Array of 32, each of finite size; got a Float32Array of 3.',
    ],
    [
      () => {
        throw new Error('no idea');
      },
      '[giver] initialWeights: no idea',
    ],
  ])('%s', async (initialWeights, message) => {
    expect(await messageOf(initialWeights)).toBe(message);
  });
});

test('weights that begin as drawn are warned of', () => {
  const start = { init: null, reset: [], freeze: [], frozenNorm: 'batch' } as const;
  expect(warningsOf([classMeanHead()], infoWithCounts([3, 2], { start, head: { kind: 'cosine', scale: 10 } }))).toEqual(
    ['NOT_INTENDED [class-mean-head] means of features that no training has shaped. Set model.weights or model.init.'],
  );
});
