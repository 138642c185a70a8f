import { expect, test } from 'vitest';
import { z } from 'zod';
import mixup from '../../plugins/mixup/index.ts';
import { withoutConfusions } from '../../src/metrics/summary.ts';
import type { EpochMetrics } from '../../src/metrics/types.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { squares } from '../support/squares.ts';
import { crt, model, watcher } from './phases-support.ts';

const erm = (options: TrainerOptions): TrainerOptions => {
  const { phases: _, ...plain } = options;
  return plain;
};

const valuesOf = ({ state }: Snapshot): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(state).map(([name, { values }]) => [name, values]));

test('the first phase is the plain run to the bit; the second starts from it and trains what is not frozen', async () => {
  const all = watcher('all', 'run');
  const phased = await createTrainer(crt({ plugins: [mixup(), all.plugin] })).run();
  const plain = await createTrainer(erm(crt())).run();
  expect(valuesOf(all.snapshots[2]!)).toEqual(valuesOf(plain.snapshot!));
  const figures = (epochs: readonly EpochMetrics[]) =>
    epochs.map(withoutConfusions).map(({ train, test: evaluated }) => [train, evaluated]);
  expect(figures(phased.epochs.slice(0, 3))).toEqual(figures(plain.epochs));

  const [before, after] = [plain.snapshot!, phased.snapshot!];
  const changed = after.weights.filter(
    (name) => !before.state[name]!.values.every((x, i) => x === after.state[name]!.values[i]),
  );
  expect(changed).toEqual(['classifier/kernel', 'classifier/bias']);
  expect(Object.keys(after.state).filter((name) => name.startsWith('momentum/'))).toEqual([
    'momentum/classifier/kernel',
    'momentum/classifier/bias',
  ]);
  expect(phased.epochs.map(({ learningRate }) => learningRate).slice(3)).toEqual([0.02, 0.02 * 0.5]);
});

test('plugins of a phase count from its beginning; those that span the run count over it', async () => {
  const own = watcher('own', 'phase');
  const all = watcher('all', 'run');
  const options = crt({ plugins: [mixup(), all.plugin] });
  const [first, second] = options.phases!;
  await createTrainer({ ...options, phases: [first!, { ...second!, plugins: [own.plugin] }] }).run();
  const steps = (epoch: number, before: number, count: number) =>
    Array.from({ length: count }, (_, i) => `${epoch}/${before + i + 1}/${i + 1}`);
  expect(own.heard).toEqual([
    '2 epochs',
    'begin after 0, 2',
    ...['epoch 1', ...steps(1, 0, 5), 'end of 1 – at 5'],
    ...['epoch 2', ...steps(2, 5, 5), 'end of 2 – at 10'],
    'over at 5',
  ]);
  expect(all.heard).toEqual([
    '5 epochs',
    'begin after 0, 5',
    ...['epoch 1', ...steps(1, 0, 3), 'end of 1 erm at 3'],
    ...['epoch 2', ...steps(2, 3, 3), 'end of 2 erm at 6'],
    ...['epoch 3', ...steps(3, 6, 3), 'end of 3 erm at 9'],
    ...['epoch 4', ...steps(4, 9, 5), 'end of 4 crt at 14'],
    ...['epoch 5', ...steps(5, 14, 5), 'end of 5 crt at 19'],
    'over at 5',
  ]);
});

test('metrics and summary say which phase', async () => {
  const { epochs, summary } = await createTrainer(crt()).run();
  expect(epochs.map(({ epoch, phase, step }) => [epoch, phase, step])).toEqual([
    [1, 'erm', 3],
    [2, 'erm', 6],
    [3, 'erm', 9],
    [4, 'crt', 14],
    [5, 'crt', 19],
  ]);
  expect(summary.epochs).toBe(5);
  expect(summary.phases!.map(({ name, epochs, last }) => [name, epochs, last!.accuracy])).toEqual([
    ['erm', 3, epochs[2]!.test!.accuracy],
    ['crt', 2, epochs[4]!.test!.accuracy],
  ]);
  expect(summary.last!.accuracy).toBe(epochs[4]!.test!.accuracy);
  expect([4, 5]).toContain(summary.bestOnTest!.epoch);
  expect((await createTrainer(erm(crt())).run()).summary.phases).toBeUndefined();
});

test('a later phase draws otherwise than the first', async () => {
  const drawn: number[][] = [];
  const listen = definePlugin({
    name: 'listen',
    options: z.strictObject({}),
    spans: 'run',
    apply: ({ hooks }) =>
      void hooks.onBatchEnd.tap('listen', ({ batch }) => void drawn.push([...batch.indices, batch.lambda[0]!])),
  });
  await createTrainer({
    data: squares(),
    model,
    train: { epochs: 1, batchSize: 64 },
    plugins: [mixup(), listen()],
    phases: [{}, {}],
  }).run();
  expect(drawn).toHaveLength(2);
  expect(drawn[1]).not.toEqual(drawn[0]);
  expect(drawn[1]!.at(-1)).not.toBe(drawn[0]!.at(-1));
});

for (const step of ['eager', 'captured'] as const) {
  const inMode = (more: Partial<TrainerOptions> = {}): TrainerOptions =>
    crt({ train: { epochs: 3, batchSize: 16, step }, ...more });

  describeNative(`phases, ${step}`, () => {
    test('end the same wherever they are resumed', async () => {
      const all = watcher('all', 'run');
      const whole = await createTrainer(inMode({ plugins: [mixup(), all.plugin] })).run();
      expect(whole.summary.stepMode).toBe(step);
      expect(all.snapshots).toHaveLength(5);
      for (const resume of all.snapshots) {
        const resumed = await createTrainer(
          inMode({ resume: JSON.parse(JSON.stringify(resume), revive) as Snapshot }),
        ).run();
        expect(resumed.snapshot!.state, `after epoch ${resume.epoch}`).toEqual(whole.snapshot!.state);
        expect(resumed.summary.last).toEqual(whole.summary.last);
        expect(resumed.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5]);
      }
    });
  });
}

describeNative('phases', () => {
  test('come to the same captured and eager', async () => {
    const last = async (step: TrainOptions['step']) =>
      valuesOf((await createTrainer(crt({ train: { epochs: 3, batchSize: 16, step } })).run()).snapshot!);
    const [eager, captured] = [await last('eager'), await last('captured')];
    for (const [name, values] of Object.entries(eager)) {
      const largest = Math.max(...values.map(Math.abs), 1e-3);
      const apart = Math.max(...values.map((x, i) => Math.abs(x - captured[name]![i]!)));
      expect(apart / largest, name).toBeLessThan(1e-4);
    }
  });
});

/** Arrays of floats as JSON has them: objects of numbered fields. */
function revive(key: string, value: unknown): unknown {
  return key === 'values' ? Float32Array.from(Object.values(value as Record<string, number>)) : value;
}

test('a run that is stopped in a phase ends there, and goes on in it', async () => {
  const stop = definePlugin({
    name: 'stop',
    options: z.strictObject({}),
    apply: ({ hooks }) => void hooks.onEpochEnd.tap('stop', ({ epoch }, run) => epoch === 2 && run.stop('enough')),
  });
  const whole = await createTrainer(crt()).run();
  const half = await createTrainer(crt({ plugins: [mixup(), stop()] })).run();
  expect(half.summary).toMatchObject({ status: 'stopped', lastEpoch: 2, phases: [{ name: 'erm', epochs: 2 }] });
  const resumed = await createTrainer(crt({ resume: half.snapshot! })).run();
  expect(resumed.snapshot!.state).toEqual(whole.snapshot!.state);
});

test('an error in a later phase is told to its plugins and to those that span the run, once', async () => {
  const told: string[] = [];
  const observer = (name: string, spans: 'phase' | 'run'): Plugin =>
    definePlugin({
      name,
      options: z.strictObject({}),
      spans,
      apply: ({ hooks }) =>
        void hooks.onError.tap(name, (_, run) => void told.push(`${name}: ${run.summary().status}`)),
    })();
  const failing = definePlugin({
    name: 'failing',
    options: z.strictObject({}),
    apply: ({ hooks }) =>
      void hooks.onEpochBegin.tap('failing', () => {
        throw new Error('no more');
      }),
  });
  const [first, second] = crt().phases!;
  const options = crt({
    plugins: [observer('all', 'run')],
    phases: [first!, { ...second!, plugins: [failing(), observer('own', 'phase')] }],
  });
  await expect(createTrainer(options).run()).rejects.toThrow('[failing] onEpochBegin: no more');
  expect(told).toEqual(['own: failed', 'all: failed']);
});
