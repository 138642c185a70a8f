import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import choose from '../../plugins/choose/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import puzzleMix, {
  blockNumbers,
  blockShares,
  keepMask,
  puzzleBatch,
  saliencyOf,
  toPixels,
} from '../../plugins/puzzle-mix/index.ts';
import remix from '../../plugins/remix/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Model, Pass, WeightSpec } from '../../src/models/types.ts';
import { definePlugin, Order, type Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { plainLoss } from '../../src/step/loss.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import reference from '../reference/puzzle-mix.json' with { type: 'json' };
import { bothEngines, describeNative } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { at, infoWithCounts, warningsOf } from '../support/plugins.ts';

beforeAll(async () => void (await loadBackend()));

const imageShape = reference.shape as [number, number, number];
const size = reference.labels.length;

/** The script's network: only the mean is normalised, that of the batch in training. */
const model: Model = {
  name: 'two-layers',
  stages: ['input'],
  featureSize: 4,
  weights: Object.entries(reference.weights).map(
    ([name, { shape, values }]): WeightSpec => ({
      name,
      shape,
      kind: name === 'norm/mean' ? 'statistic' : 'kernel',
      initial: () => Float32Array.from(values),
    }),
  ),
  forward(weights, images, pass) {
    const x = pass.atStage('input', images);
    const hidden = tf.matMul(x.reshape([x.shape[0]!, -1]), weights['hidden/kernel']!);
    const mean = pass.training ? hidden.mean(0) : weights['norm/mean']!;
    const features = hidden.sub(mean).tanh();
    const logits = tf.matMul(features, weights['classifier/kernel']!).add(weights['classifier/bias']!);
    return { logits, features, statistics: {} };
  },
};

const weights = (): NamedTensors =>
  Object.fromEntries(
    Object.entries(reference.weights).map(([name, { shape, values }]) => [name, tf.tensor(values, shape)]),
  );

const images = (): tf.Tensor => {
  const { mean, std } = reference;
  const pixels = tf.tensor(reference.images, [size, ...imageShape]);
  return pixels.div(255).sub(tf.tensor1d(mean)).div(tf.tensor1d(std));
};

const labels = (): tf.Tensor1D => tf.tensor1d(reference.labels, 'int32');

const plain: Pass = { training: true, inputs: {}, variants: {}, atStage: (_, features) => features };

/** All numbers within `within` of the largest that is due. */
function expectNear(got: ArrayLike<number>, due: readonly number[], within: number): void {
  expect(got.length).toBe(due.length);
  const largest = Math.max(...due.map(Math.abs));
  for (const [i, number] of due.entries()) expect(Math.abs(got[i]! - number)).toBeLessThan(within * largest);
}

describe('functions against PyTorch (test/reference/puzzle-mix.py)', () => {
  test('saliency and its shares by blocks', () => {
    const judge = { forward: model.forward, loss: plainLoss() };
    const saliency = saliencyOf(judge, weights(), images(), labels(), plain);
    expect(saliency.shape).toEqual([size, ...imageShape.slice(0, 2)]);
    expectNear(saliency.dataSync(), reference.saliency, 1e-5);
    expectNear(blockShares(saliency, 2).dataSync(), reference.shares.flat(), 1e-5);
  });

  test.each(reference.cases)('the mask is the best of all sets of $keep blocks', ({ keep, mask }) => {
    const own = tf.tensor2d(reference.shares);
    const found = keepMask(own, own.gather(tf.tensor1d(reference.pair, 'int32')), tf.tensor1d(keep));
    expect(found.arraySync()).toEqual(mask);
  });
});

test('of equal blocks the first are kept, and always as many as are due', () => {
  const alike = tf.zeros([3, 9]);
  expect(keepMask(alike, alike, tf.tensor1d([0, 4, 9])).arraySync()).toEqual([
    [0, 0, 0, 0, 0, 0, 0, 0, 0],
    [1, 1, 1, 1, 0, 0, 0, 0, 0],
    [1, 1, 1, 1, 1, 1, 1, 1, 1],
  ]);
  // An image whose gradient is 0 everywhere has no shares, and no NaN.
  expect([...blockShares(tf.zeros([1, 4, 4]), 2).dataSync()]).toEqual([0, 0, 0, 0]);
});

test('blocks become pixels', () => {
  const pixels = toPixels(tf.tensor2d([[1, 0, 0, 1]]), 2, 2, 4);
  expect(pixels.shape).toEqual([1, 2, 4, 1]);
  expect([...pixels.dataSync()]).toEqual([1, 1, 0, 0, 0, 0, 1, 1]);
});

test('lambda is the share of the blocks, to the bit; partners do not depend on alpha', () => {
  const batch = (alpha: number, lambda: 'batch' | 'sample' = 'sample') =>
    puzzleBatch({ size: 64, replicas: 1 }, 6, { alpha, lambda }, randomStream(3));
  const { keep, lambda, pair } = batch(1);
  for (const [i, count] of keep.entries()) expect(lambda[i]).toBe(Math.fround(count / 36));
  expect(new Set(keep).size).toBeGreaterThan(10);
  expect(new Set(batch(1, 'batch').keep).size).toBe(1);
  expect(batch(0.2).pair).toEqual(pair);
  expect([...batch(0).lambda]).toEqual(Array(64).fill(1));
});

test('numbers of blocks are those that divide the image', async () => {
  expect(blockNumbers(undefined, [8, 8, 3])).toEqual([2, 4, 8]);
  expect(blockNumbers(undefined, [32, 32, 3])).toEqual([2, 4, 8, 16]);
  expect(blockNumbers([7, 7], [28, 28, 1])).toEqual([7]);
  expect(await messageOfError(() => blockNumbers([3], [32, 48, 3]))).toBe(
    '[puzzle-mix] blocks: expected numbers of blocks per side that divide 32 × 48 pixels; got 3. Choose others, or images of another size.',
  );
  expect(await messageOfError(() => blockNumbers(undefined, [1, 1, 2]))).toContain('got 2, 4, 8, 16.');
});

test('what is refused and warned of', async () => {
  const info = infoWithCounts([300, 100, 20]);
  expect(warningsOf([puzzleMix(), remix()], info)).toEqual([]);
  expect(warningsOf([puzzleMix({ alpha: 0 }), remix()], info)[0]).toContain('nothing is mixed');
  expect(await messageOfError(() => compose([puzzleMix(), mixup()], info))).toContain('mix');
  expect(await messageOfError(() => compose([choose({ of: [{ plugin: puzzleMix() }] })], info))).toContain('buildMask');
  const features = { ...smallInfo(), features: { name: 'f' } as never };
  expect(await messageOfError(() => compose([puzzleMix()], features))).toContain('puzzle-mix');
});

/** Puts the script's pair and shares in the place of those that were drawn. */
const given = ({ keep }: { keep: number[] }): Plugin =>
  definePlugin({
    name: 'given',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onBatch.tap({ name: 'given', stage: Order.Observe }, (batch) => ({
        ...batch,
        pair: Int32Array.from(reference.pair),
        lambda: Float32Array.from(keep, (count) => count / 4),
        inputs: { 'puzzle-mix/keep': Float32Array.from(keep) },
      }));
    },
  })();

/** One step of plain SGD with learning rate 1. */
function prepare(example: (typeof reference.cases)[number]) {
  const plugins = [puzzleMix({ blocks: [2] }), ...(example.remix ? [remix()] : []), given(example)];
  const info = infoWithCounts(reference.counts, { imageShape, modelStages: model.stages, featureSize: 4 });
  const composition = compose(plugins, info);
  const of = Int32Array.from(reference.labels);
  const rows = { size, indices: of.map((_, i) => i), labels: of, groups: {} };
  const batch = composition.hooks.onBatch.call(createBatch(rows, composition.variants), at(1));
  const targets = composition.hooks.computeTargets.call(createTargets(batch), at(1));
  const program = createStepProgram(model, composition, {
    ...{ seed: 0, imageShape, mean: reference.mean, std: reference.std, batchSizes: [size], evaluateBatchSize: size },
    optimizer: createOptimizer({ name: 'sgd', learningRate: 1, momentum: 0, nesterov: false, weightDecay: 0 }),
  });
  const feeds = trainFeeds({
    ...{ batch, targets, imageShape, images: Uint8Array.from(reference.images) },
    ...{ classWeights: Float64Array.of(1, 1, 1), learningRate: 1, reduction: 'mean' },
  });
  return { program, targets, feeds, call: signatureFor(program, 'train', batch.variants, size) };
}

describe('one step against PyTorch', () => {
  test.each(reference.cases)('keep $keep, Remix $remix', (example) => {
    const { program, targets, feeds, call } = prepare(example);
    expectNear(targets.labelWeight, example.labelWeight, 1e-6);
    const engine = createEagerEngine(program);
    const before = engine.read();
    expect(engine.run(call, feeds).loss![0]).toBeCloseTo(example.loss, 5);
    const after = engine.read();
    engine.dispose();
    for (const [name, gradient] of Object.entries(example.gradients)) {
      expectNear(
        before[name]!.map((value, i) => value - after[name]![i]!),
        gradient,
        1e-4,
      );
    }
  });
});

describeNative('captured', (use) => {
  test.each(reference.cases)('is eager: keep $keep', (example) => {
    const { program, feeds, call } = prepare(example);
    const engines = bothEngines(program, use());
    const { eager, captured } = engines.run(call, feeds);
    expect(captured.loss![0]).toBeCloseTo(eager.loss![0]!, 6);
    expect(captured.loss![0]).toBeCloseTo(example.loss, 5);
    engines.dispose();
  });
});
