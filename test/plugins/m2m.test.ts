import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import checkpoint from '../../plugins/checkpoint/index.ts';
import drs from '../../plugins/drs/index.ts';
import m2m, { chooseSeeds, isConvincing, seedShare, smallNoise, translate } from '../../plugins/m2m/index.ts';
import metaWeightNet from '../../plugins/meta-weight-net/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import sam from '../../plugins/sam/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { describeNative } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { warningsOf } from '../support/plugins.ts';
import { smallRun } from '../support/small-run.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeTwoStage } from '../support/two-stage.ts';

beforeAll(async () => void (await loadBackend()));

describeTwoStage('m2m');

const classifier = fileURLToPath(new URL('teacher/checkpoints/epoch-0001.safetensors', import.meta.url));
const small = { classifier, deferUntil: 1, beta: 0.5, steps: 3, confidence: 0.3 };
type Changes = Parameters<typeof smallRun>[0];
const train = (plugins: Plugin[], step: 'eager' | 'captured' = 'eager', changes: Changes = {}) =>
  smallRun({
    train: { epochs: 3, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...changes,
    plugins,
  });

test('a seed is as good as its class has more images: 1 − β^(N_seed − N_class)', () => {
  expect(seedShare(0.9, 10, 10)).toBe(0);
  expect(seedShare(0.9, 3, 10)).toBe(0);
  expect(seedShare(0.9, 12, 10)).toBeCloseTo(1 - 0.81, 12);
});

test('rows of a class with n of n_max images are tried with chance 1 − n/n_max, from seeds in proportion, of their own replica', () => {
  const labels = Int32Array.of(0, 1, 2, 0, 0, 1, 2, 2);
  const options = { classCounts: [40, 30, 10], beta: 0.95, replicas: 2 };
  const tries = 4000;
  const seeded = new Float64Array(8);
  const from = new Float64Array(3);
  let taken = 0;
  let wrong = 0;
  const random = randomStream('seeds');
  for (let i = 0; i < tries; i++) {
    const chosen = chooseSeeds({ size: 8, labels }, options, random);
    for (const [row, seed] of chosen.seeds.entries()) {
      const of = seed + (row < 4 ? 0 : 4);
      if (seed >= 4 || chosen.from[row] !== labels[of] || (of === row && chosen.take[row] === 1)) wrong++;
      if (of !== row) seeded[row]!++;
    }
    // Row 2 is of the rarest class; rows 0 and 3 of the first, row 1 of the second are its seeds.
    if (chosen.seeds[2] !== 2) from[chosen.from[2]!]!++;
    taken += chosen.take[2]!;
  }
  expect(wrong).toBe(0);
  for (const row of [0, 3, 4]) expect(seeded[row]).toBe(0);
  for (const row of [2, 6, 7]) expect(seeded[row]! / tries).toBeCloseTo(0.75, 1);
  expect(seeded[1]! / tries).toBeCloseTo(0.25, 1);
  const [first, second] = [1 - 0.95 ** 30, 1 - 0.95 ** 20];
  const q = (2 * first) / (2 * first + second);
  expect(from[0]! / (from[0]! + from[1]!)).toBeCloseTo(q, 1);
  expect(from[2]).toBe(0);
  expect(taken / tries).toBeCloseTo(0.75 * (q * first + (1 - q) * second), 1);
});

test('noise is no longer than the radius, and none is all zeros', () => {
  const noise = smallNoise(3, 50, 0.5, randomStream('noise'));
  for (let i = 0; i < 3; i++) expect(Math.hypot(...noise.subarray(50 * i, 50 * (i + 1)))).toBeCloseTo(0.5, 5);
  expect(smallNoise(2, 4, 0, randomStream('noise')).every((value) => value === 0)).toBe(true);
  const short = smallNoise(1, 2, 9, randomStream('noise'));
  expect(Math.max(...short.map(Math.abs))).toBeLessThanOrEqual(0.5);
});

test('a step has the length η, stays in 0…1, raises the new class, and lowers the old one for the network', () => {
  const weight = tf.tensor2d([
    [2, -1, 0],
    [0, 1, 1],
    [-1, 0, 2],
    [1, 1, -2],
  ]);
  const linear = (x: tf.Tensor) => x.reshape([x.shape[0]!, 4]).matMul(weight);
  const pixels = tf.tensor4d([0.5, 0.5, 0.5, 0.5, 0.99, 0.01, 0.5, 0.5], [2, 2, 2, 1]);
  const classes = { to: tf.tensor1d([1, 0], 'int32'), from: tf.tensor1d([0, 2], 'int32') };
  const move = (steps: number, lambda: number) =>
    translate(pixels, classes, { classifier: linear, network: linear }, { steps, stepSize: 0.1, lambda });
  const [first] = move(1, 0).sub(pixels).square().sum([1, 2, 3]).sqrt().dataSync();
  expect(first).toBeCloseTo(0.1, 5);
  const moved = move(20, 0);
  const values = moved.dataSync();
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values)).toBeLessThanOrEqual(1);
  const shares = (x: tf.Tensor) => tf.softmax(linear(x)).mul(tf.oneHot(classes.to, 3)).sum(1).dataSync();
  expect(shares(moved)[0]!).toBeGreaterThan(shares(pixels)[0]! + 0.1);
  const old = (x: tf.Tensor) => linear(x).arraySync() as number[][];
  expect(old(move(3, 5))[0]![0]!).toBeLessThan(old(move(3, 0))[0]![0]!);
  expect([
    ...isConvincing(
      tf.tensor2d([
        [0, 0],
        [3, 0],
      ]),
      tf.tensor1d([0, 0], 'int32'),
      0.6,
    ).dataSync(),
  ]).toEqual([0, 1]);
});

test('until then it is the run without it; afterwards classes are drawn alike, and figures say how many rows were replaced', async () => {
  const { results, epochs, state } = await train([m2m(small)]);
  const plain = await train([]);
  expect(results.slice(0, 3).map(({ loss }) => loss)).toEqual(plain.losses.slice(0, 3));
  expect(epochs[0]!.train.figures!.m2m).toBe(0);
  expect(epochs[2]!.train.figures!.m2m).toBeGreaterThan(0);
  const { state: given, weights } = await readCheckpoint(classifier);
  for (const weight of weights) expect(state[`m2m/${weight}`]).toEqual([...given[weight]!.values]);
  const late = results.slice(3).flatMap(({ batch }) => [...batch.labels.slice(0, batch.size)]);
  expect(late.filter((label) => label === 3).length / late.length).toBeGreaterThan(0.15);
});

test('no image is replaced that does not convince the classifier', async () => {
  const { epochs } = await train([m2m({ ...small, steps: 1, stepSize: 1e-6, noise: 0, confidence: 0.999 })]);
  expect(epochs[2]!.train.figures!.m2m).toBe(0);
});

test('refusals and warnings: no classifier, other classes, a second sampler, partners of other replicas, a start that never comes', async () => {
  expect(await messageOfError(() => train([m2m()]))).toContain('[m2m] classifier: expected a run, a checkpoint or');
  const { info } = squares();
  const others = { ...squares([10, 5, 3, 2]), info: { ...info, classes: ['d', 'c', 'b', 'a'] } };
  expect(await messageOfError(() => train([m2m(small)], 'eager', { data: others }))).toContain(
    'expected a network for the 4 classes of the run, in their order; got one for others.',
  );
  expect(await messageOfError(() => train([m2m(small), drs()]))).toContain('sampler');
  const replicas = { epochs: 1, batchSize: 8, replicas: 2, dropLast: true, pairs: 'global' } as const;
  expect(await messageOfError(() => train([m2m(small), mixup()], 'eager', { train: replicas }))).toContain(
    'a replica has no translated images of others; got global.',
  );
  const warned = warningsOf([m2m({ ...small, deferUntil: 2 })], smallInfo({ epochs: 2 }));
  expect(warned[0]).toContain('deferUntil 2 is not before the last epoch');
});

test('a resumed run is the same to the bit, and needs no other run', async () => {
  const directory = await temporaryFolder();
  const whole = await train([m2m(small), checkpoint({ every: 1, keep: 9 })], 'eager', { directory });
  const resume = await readCheckpoint(checkpointPath(directory, 2));
  expect((await train([m2m(small)], 'eager', { resume })).state).toEqual(whole.state);
});

describeNative('in a run', () => {
  test.each<[string, () => Plugin[]]>([
    ['alone', () => [m2m(small)]],
    ['translated, then mixed and relabelled', () => [m2m(small), mixup(), remix()]],
    ['sam', () => [sam({ rho: 0.1 }), m2m(small)]],
    ['rows of another plugin behind the batch', () => [metaWeightNet({ hidden: 4 }), m2m(small)]],
  ])('captured is eager to the bit: %s', async (_, plugins) => {
    const [eager, captured] = [await train(plugins()), await train(plugins(), 'captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(captured.losses).toEqual(eager.losses);
    expect(captured.state).toEqual(eager.state);
  });

  test('in two replicas, each of which has its own seeds', async () => {
    const [eager, captured] = await Promise.all(
      (['eager', 'captured'] as const).map((step) =>
        train([m2m(small)], step, {
          train: { epochs: 3, batchSize: 8, replicas: 2, dropLast: true, step },
        }),
      ),
    );
    expect(captured!.mode).toBe('captured');
    expect(eager!.epochs[2]!.train.figures!.m2m).toBeGreaterThan(0);
    for (const [i, loss] of eager!.losses.entries()) expect(captured!.losses[i]).toBeCloseTo(loss, 5);
  });
});
