import { beforeAll, expect, test } from 'vitest';
import checkpoint from '../../plugins/checkpoint/index.ts';
import deepSmote, { autoencoder, toSynthesise, withinClasses } from '../../plugins/deep-smote/index.ts';
import drs from '../../plugins/drs/index.ts';
import ema from '../../plugins/ema/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import sam from '../../plugins/sam/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { warningsOf } from '../support/plugins.ts';
import { smallRun } from '../support/small-run.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeTwoStage } from '../support/two-stage.ts';

beforeAll(async () => void (await loadBackend()));

// The state after a step of learning has 0.1 of the autoencoder's gradient in it.
describeTwoStage('deep-smote');

const small = { deferUntil: 1, codes: 4, width: 2, neighbours: 2, learningRate: 0.01 };
type Changes = Parameters<typeof smallRun>[0];
const train = (plugins: Plugin[], step: 'eager' | 'captured' = 'eager', changes: Changes = {}) =>
  smallRun({
    train: { epochs: 3, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...changes,
    plugins,
  });

test('rows take others of their class and replica, in a ring; classes have equal shares', () => {
  const labels = Int32Array.of(0, 1, 0, 0, 2, 1, 1, 2, 1, 0);
  for (let seed = 0; seed < 20; seed++) {
    const { order, shares } = withinClasses({ size: 10, labels }, 2, randomStream(seed));
    for (const start of [0, 5]) {
      const own = order.slice(start, start + 5);
      expect([...own].sort()).toEqual([0, 1, 2, 3, 4]);
      for (const [row, other] of own.entries()) expect(labels[start + other]).toBe(labels[start + row]);
    }
    // Rows 0, 2 and 3 are three of a class, none of which has itself; rows 1 and 4 are alone in theirs.
    for (const row of [0, 2, 3]) expect(order[row]).not.toBe(row);
    expect([order[1], order[4]]).toEqual([1, 4]);
    expect([...shares.slice(0, 5)].map((share) => Math.round(share * 9))).toEqual([1, 3, 1, 1, 3]);
  }
});

test('of a class with n images the share 1 − n/n_max is synthetic', () => {
  const labels = Int32Array.from({ length: 9000 }, (_, i) => i % 3);
  const take = toSynthesise({ size: 9000, labels }, [40, 30, 10], randomStream('take'));
  const share = [0, 0, 0];
  for (const [i, taken] of take.entries()) share[labels[i]!]! += taken / 3000;
  expect(share[0]).toBe(0);
  expect(share[1]).toBeCloseTo(0.25, 1);
  expect(share[2]).toBeCloseTo(0.75, 1);
});

test.each<[[number, number, number]]>([[[8, 8, 3]], [[13, 10, 1]], [[3, 3, 2]], [[33, 70, 3]]])(
  'images of %j become codes and images again',
  (shape) => {
    const net = autoencoder(shape, { width: 2, codes: 5 });
    const weights = Object.fromEntries(
      net.weights.map(({ name, shape: of, initial }) => [name, tf.tensor(initial(randomStream(name)), [...of])]),
    );
    const pixels = tf.fill([4, ...shape], 0.3);
    const codes = net.encode(pixels, weights);
    expect(codes.shape).toEqual([4, 5]);
    const made = net.decode(codes, weights);
    expect(made.shape).toEqual([4, ...shape]);
    const [low, high] = [made.min().dataSync()[0]!, made.max().dataSync()[0]!];
    expect(low).toBeGreaterThan(0);
    expect(high).toBeLessThan(1);
  },
);

test('while the autoencoder learns, the network trains as without it; then rows are replaced, and the autoencoder stays', async () => {
  const directory = await temporaryFolder();
  const { results, epochs, state } = await train([deepSmote(small), checkpoint({ every: 1, keep: 9 })], 'eager', {
    directory,
  });
  const plain = await train([]);
  expect(results.slice(0, 3).map(({ loss }) => loss)).toEqual(plain.losses.slice(0, 3));
  const shares = epochs.map(({ train: { figures } }) => figures!['deep-smote/rows']!);
  expect(shares[0]).toBe(0);
  expect(shares[1]).toBeGreaterThan(0);
  const { state: learnt } = await readCheckpoint(checkpointPath(directory, 1));
  for (const [name, { values }] of Object.entries(learnt))
    if (name.startsWith('deep-smote/')) expect(state[name], name).toEqual([...values]);
  expect(state['deep-smote/adamw/steps']).toEqual([3]);
});

test('the autoencoder learns: its images come nearer', async () => {
  const { epochs } = await train([deepSmote({ ...small, deferUntil: 20, penalty: 0 })], 'eager', {
    train: { epochs: 20, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.01 } },
  });
  const errors = epochs.map(({ train: { figures } }) => figures!['deep-smote/reconstruction']!);
  expect(errors.at(-1)!).toBeLessThan(errors[0]! * 0.8);
});

test('as in the paper, in two phases: the second has the autoencoder of the first, and a network of its own', async () => {
  const train = { batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.05 } } as const;
  const { summary, snapshot } = await createTrainer({
    data: squares([10, 5, 3, 2]),
    model: tinyModel(),
    train: { ...train, epochs: 2 },
    phases: [
      { name: 'autoencoder', epochs: 2, plugins: [deepSmote({ ...small, deferUntil: 2 })] },
      {
        name: 'classifier',
        epochs: 2,
        model: { reset: ['backbone', 'classifier'] },
        plugins: [deepSmote({ ...small, deferUntil: 0 })],
      },
    ],
  }).run();
  expect(summary.status).toBe('finished');
  expect([...snapshot!.state['deep-smote/adamw/steps']!.values]).toEqual([6]);
});

test('refusals and warnings: nothing learnt, a second sampler, replicas, partners of other replicas, no image made', async () => {
  expect(await messageOfError(() => train([deepSmote({ ...small, deferUntil: 0 })]))).toContain(
    'expected epochs in which the autoencoder learns, or a phase before in which it has; got 0',
  );
  expect(await messageOfError(() => train([deepSmote(small), drs()]))).toContain('sampler');
  const replicas = { epochs: 1, batchSize: 8, replicas: 2, dropLast: true };
  expect(await messageOfError(() => train([deepSmote(small)], 'eager', { train: replicas }))).toContain(
    'deep-smote/encoder/1/kernel',
  );
  const global = { ...replicas, pairs: 'global' } as const;
  expect(await messageOfError(() => train([deepSmote(small), mixup()], 'eager', { train: global }))).toContain(
    'a replica has no images that others make; got global.',
  );
  expect(warningsOf([deepSmote({ deferUntil: 2 })], smallInfo({ epochs: 2 }))[0]).toContain('no image is made');
});

test('a resumed run is the same to the bit, and ema averages no state', async () => {
  const directory = await temporaryFolder();
  const plugins = () => [deepSmote({ ...small, deferUntil: 2 }), ema({ decay: 0.5 })];
  const whole = await train([...plugins(), checkpoint({ every: 1, keep: 9 })], 'eager', { directory });
  expect(Object.keys(whole.state).filter((name) => /^ema\/deep-smote/.test(name))).toEqual([]);
  for (const epoch of [1, 2]) {
    const resume = await readCheckpoint(checkpointPath(directory, epoch));
    expect((await train(plugins(), 'eager', { resume })).state).toEqual(whole.state);
  }
});

describeNative('in a run', () => {
  test.each<[string, () => Plugin[]]>([
    ['alone', () => [deepSmote(small)]],
    ['synthetic, then mixed and relabelled', () => [deepSmote(small), mixup(), remix()]],
    ['sam', () => [sam({ rho: 0.1 }), deepSmote(small)]],
  ])('captured is eager to the bit: %s', async (_, plugins) => {
    const [eager, captured] = [await train(plugins()), await train(plugins(), 'captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(captured.losses).toEqual(eager.losses);
    expect(captured.state).toEqual(eager.state);
  });
});
