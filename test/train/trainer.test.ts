import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { BatchResult } from '../../src/step/types.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';

const observe = (apply: Parameters<typeof definePlugin>[0]['apply']): Plugin =>
  definePlugin({ name: 'observer', options: z.strictObject({}), apply })();

const run = (plugins: readonly Plugin[], options: Partial<TrainerOptions> = {}) =>
  createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins,
    train: { epochs: 3, batchSize: 16, optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...options,
  }).run();

/** Every step of a run, copied. */
async function stepsOf(plugins: readonly Plugin[]): Promise<BatchResult[]> {
  const steps: BatchResult[] = [];
  await run([
    ...plugins,
    observe(({ hooks }) => hooks.onBatchEnd.tap('observer', (result) => void steps.push(structuredClone(result)))),
  ]);
  return steps;
}

test('a run learns, evaluates each epoch and sums itself up', async () => {
  const { summary, epochs } = await run([]);
  expect(epochs.map(({ epoch, step }) => [epoch, step])).toEqual([
    [1, 3],
    [2, 6],
    [3, 9],
  ]);
  expect(epochs[2]!.train.loss).toBeLessThan(epochs[0]!.train.loss);
  expect(summary).toMatchObject({
    status: 'finished',
    lastEpoch: 3,
    stepMode: expect.any(String),
    classCounts: [20, 9, 4, 2],
  });
  expect(summary.last!.confusion!.reduce((sum, [, , images]) => sum + images, 0)).toBe(20);
});

test('hooks are called in the order of the pseudocode', async () => {
  const calls: string[] = [];
  await run(
    [
      observe(({ hooks }) => {
        for (const [name, hook] of Object.entries(hooks)) {
          const pass = (value?: unknown) => {
            calls.push(name);
            return value;
          };
          // biome-ignore lint/suspicious/noExplicitAny: one tap for hooks of every kind.
          (hook as any).tap('observer', pass);
        }
      }),
    ],
    { train: { epochs: 1, batchSize: 20, step: 'eager' } },
  );
  const step = ['computeLearningRate', 'onBatch', 'computeTargets', 'onBatchEnd'];
  expect(calls.filter((name) => name.startsWith('build')).slice(0, 6)).toEqual([
    'buildModel',
    'buildLoss',
    'buildMask',
    'buildGradients',
    'buildUpdate',
    'buildPrediction',
  ]);
  expect(calls.filter((name) => !name.startsWith('build'))).toEqual([
    'onTrainBegin',
    'onEpochBegin',
    'computeSamplingWeights',
    'computeAugmentation',
    'computeClassWeights',
    ...step,
    ...step,
    'computeFigures',
    'onEpochEnd',
    'onTrainEnd',
  ]);
});

describe('paired by construction', () => {
  test('the same seed gives the same run; another seed another', async () => {
    const [first, again, other] = [await run([mixup()]), await run([mixup()]), await run([mixup()], { seed: 1 })];
    const figures = ({ epochs }: typeof first) => epochs.map(({ train, test: evaluated }) => [train, evaluated]);
    expect(figures(again)).toEqual(figures(first));
    expect(figures(other)).not.toEqual(figures(first));
  });

  test('ERM, Mixup and Remix see the same rows; Mixup and Remix the same partners and lambdas', async () => {
    const [erm, mixed, remixed] = [
      await stepsOf([]),
      await stepsOf([mixup()]),
      await stepsOf([mixup(), remix({ kappa: 2 })]),
    ];
    const rows = (steps: BatchResult[]) => steps.map(({ batch }) => [batch.indices, batch.labels]);
    expect(rows(mixed)).toEqual(rows(erm));
    expect(rows(remixed)).toEqual(rows(erm));
    const mixes = (steps: BatchResult[]) => steps.map(({ batch }) => [batch.pair, batch.lambda]);
    expect(mixes(remixed)).toEqual(mixes(mixed));
    expect(remixed.map(({ targets }) => targets)).not.toEqual(mixed.map(({ targets }) => targets));
  });
});

test('a run resumed from a snapshot ends as if it had never stopped', async () => {
  const whole = await run([mixup(), remix({ kappa: 2 })]);
  const half = await run([
    mixup(),
    remix({ kappa: 2 }),
    observe(({ hooks }) =>
      hooks.onEpochEnd.tap('observer', ({ epoch }, running) => {
        if (epoch === 2) running.stop('enough');
      }),
    ),
  ]);
  expect(half.summary).toMatchObject({ status: 'stopped', reason: 'enough', lastEpoch: 2 });
  const resumed = await run([mixup(), remix({ kappa: 2 })], { resume: half.snapshot! });
  expect(resumed.snapshot!.state).toEqual(whole.snapshot!.state);
  expect(resumed.summary.last).toEqual(whole.summary.last);
  expect(resumed.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
});

test('a snapshot of another model is refused', async () => {
  const { snapshot } = await run([]);
  await expect(run([], { model: tinyModel(4, 9), resume: snapshot! })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [TailmixError: resume: hidden/kernel: expected shape [192, 9], got shape [192, 8].
      The checkpoint is of another model, optimizer or plugin list: resume with the config that the run began with.]
  `);
});

test('an extra draw is a pool of rows of its own, and shifts no other draw', async () => {
  const minority = definePlugin({
    name: 'minority',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    rows: (_, { classCounts }) => ({
      rare: { weights: () => Float64Array.from(classCounts, (count) => 1 / count ** 4) },
    }),
    apply({ hooks }) {
      hooks.onBatch.tap('minority', (batch) => {
        const { start } = batch.groups['minority/rare']!;
        return { ...batch, pair: batch.pair.map((_, i) => start + i), lambda: batch.lambda.fill(0.5) };
      });
    },
  });
  const [plain, pooled] = [await stepsOf([]), await stepsOf([minority()])];
  expect(pooled.map(({ batch }) => batch.poolSize)).toEqual(plain.map(({ batch }) => 2 * batch.size));
  expect(pooled.map(({ batch }) => batch.indices.slice(0, batch.size))).toEqual(
    plain.map(({ batch }) => batch.indices),
  );
  const partners = pooled.flatMap(({ targets }) => [...targets.pairLabels]);
  expect(partners.filter((label) => label === 3).length / partners.length).toBeGreaterThan(0.8);
});

describe('penalties', () => {
  test('a penalty is added to the loss, logged under its plugin, and pulls on the weights', async () => {
    const decay = definePlugin({
      name: 'decay',
      options: z.strictObject({}),
      apply: ({ hooks }) =>
        hooks.buildLoss.tap('decay', (loss) => ({
          ...loss,
          penalties: { ...loss.penalties, decay: (_, weights) => weights['classifier/kernel']!.square().sum() },
        })) as undefined,
    });
    const [plain, pulled] = [await run([]), await run([decay()])];
    const size = ({ snapshot }: typeof plain) =>
      snapshot!.state['classifier/kernel']!.values.reduce((sum, w) => sum + w * w, 0);
    expect(size(pulled)).toBeLessThan(size(plain));
    expect(pulled.epochs[0]!.train.penalties.decay).toBeGreaterThan(0);
  });
});

test('a loss that is not a number ends the run with step, rate and the largest weight', async () => {
  await expect(
    run([], { train: { epochs: 3, batchSize: 16, optimizer: { name: 'sgd', learningRate: 1e30 } } }),
  ).rejects.toThrow(
    /^step \d+ \(epoch \d+\): expected a finite loss, got (NaN|Infinity)\. The learning rate is 1e\+30; the largest value is in .+\n {2}Lower train\.optimizer\.learningRate/,
  );
});

test('an aborted run stops after its step, with its reason', async () => {
  const abort = new AbortController();
  const { summary } = await run(
    [observe(({ hooks }) => hooks.onBatchEnd.tap('observer', () => abort.abort('SIGINT')))],
    {
      signal: abort.signal,
    },
  );
  expect(summary).toMatchObject({ status: 'stopped', reason: 'SIGINT', last: null });
});
