import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin } from '../../src/plugin.ts';
import { optionsAt, phaseOfEpoch, phasesOf } from '../../src/train/phases.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { messageOfError } from '../support/message.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

const plugin = (name: string, spans: 'run' | 'phase' = 'phase') =>
  definePlugin({ name, options: z.strictObject({}), spans, apply() {} })();

const [own, all, second] = [plugin('own'), plugin('all', 'run'), plugin('second')];

const run = (changes: Partial<TrainerOptions> = {}): TrainerOptions => ({
  name: 'run',
  seed: 7,
  data: { name: 'digits' },
  model: { name: 'small-cnn', width: 2, init: 'runs/a', reset: ['classifier'], freeze: ['stage1'] },
  plugins: [own, all],
  train: { epochs: 4, batchSize: 16, dropLast: true },
  ...changes,
});
const two = (changes: Partial<TrainerOptions> = {}): TrainerOptions =>
  run({
    phases: [
      { name: 'erm', epochs: 3 },
      { epochs: 2, train: { batchSize: 8 }, plugins: [second] },
    ],
    ...changes,
  });

test('a run that says nothing of phases is one, as it is', () => {
  const options = run({ resume: snapshotAfter(2) });
  const phases = phasesOf(options);
  expect(phases).toEqual([{ phase: null, before: 0, options }]);
  expect(phases[0]!.options).toBe(options);
});

test('each phase has its name, number and epochs, what it says itself, and the rest of the run', () => {
  const [first, later] = phasesOf(two());
  const shared = { name: 'run', seed: 7, data: { name: 'digits' } };
  expect(first).toEqual({
    phase: { name: 'erm', number: 1, epochs: 3 },
    before: 0,
    options: {
      ...shared,
      model: run().model,
      start: {},
      plugins: [own],
      train: { epochs: 3, batchSize: 16, dropLast: true },
    },
  });
  expect(later).toMatchObject({
    phase: { name: 'phase 2', number: 2, epochs: 2 },
    before: 3,
    options: { ...shared, plugins: [second], train: { epochs: 2, batchSize: 8, dropLast: true } },
  });
  expect(Object.keys(later!.options)).not.toContain('phases');
});

test('epochs of a phase that says nothing are those of the run, by default 200', () => {
  const epochs = (changes: Partial<TrainerOptions>) =>
    phasesOf(run({ phases: [{}, { epochs: 2 }, {}], ...changes })).map(({ phase, before }) => [phase!.epochs, before]);
  expect(epochs({})).toEqual([
    [4, 0],
    [2, 4],
    [4, 6],
  ]);
  expect(epochs({ train: {} })).toEqual([
    [200, 0],
    [2, 200],
    [200, 202],
  ]);
  const { train: _, ...untold } = run({ phases: [{}] });
  expect(phasesOf(untold)[0]!.options.train).toEqual({ epochs: 200 });
});

test('plugins of a phase are in the place of the run’s, but for those that span it; a run may have none', () => {
  const plugins = (changes: Partial<TrainerOptions>) => phasesOf(two(changes)).map(({ options }) => options.plugins);
  expect(plugins({})).toEqual([[own], [second]]);
  expect(plugins({ phases: [{ plugins: [] }, {}] })).toEqual([[], [own]]);
  const { plugins: _, ...bare } = run({ phases: [{}, {}] });
  expect(phasesOf(bare).map(({ options }) => options.plugins)).toEqual([[], []]);
});

describe('where a phase starts', () => {
  const init = snapshotAfter(1);
  const start = { init, reset: ['classifier'], freeze: ['stage2'], frozenNorm: 'running' } as const;
  const starts = (changes: Partial<TrainerOptions>) => phasesOf(two(changes)).map(({ options }) => options.start);
  const phase = { epochs: 1, model: { freeze: ['backbone'] } };

  test('the first where the run does, with what it says itself', () => {
    expect(starts({ start, phases: [phase] })).toEqual([{ ...start, freeze: ['backbone'] }]);
    expect(starts({ phases: [phase] })).toEqual([{ freeze: ['backbone'] }]);
  });

  test('a later one from the one before: it keeps what is frozen, and resets what it says itself', () => {
    const from = 'phase "phase 1"';
    expect(starts({ start, phases: [{}, {}] })[1]).toEqual({ freeze: ['stage2'], frozenNorm: 'running', from });
    expect(starts({ start, phases: [{}, { model: { reset: ['stage3'], freeze: [] } }] })[1]).toEqual({
      freeze: [],
      frozenNorm: 'running',
      reset: ['stage3'],
      from,
    });
    expect(starts({ phases: [{ name: 'erm' }, {}, {}] }).slice(1)).toEqual([
      { from: 'phase "erm"' },
      { from: 'phase "phase 2"' },
    ]);
    const [first, later] = phasesOf(two());
    expect(first!.options.model).toMatchObject({ init: 'runs/a', reset: ['classifier'], freeze: ['stage1'] });
    expect(later!.options.model).toMatchObject({ name: 'small-cnn', width: 2, freeze: ['stage1'] });
    expect(later!.options.model).not.toMatchObject({ init: expect.anything() });
  });
});

describe('a resumed run', () => {
  test('has its snapshot in the phases that had begun: none of them reads what it started from', () => {
    const resumed = (epoch: number) => {
      const resume = snapshotAfter(epoch);
      return phasesOf(two({ resume })).map(({ options }) => options.resume === resume);
    };
    expect([0, 1, 3, 4, 5, 6].map(resumed)).toEqual([
      [true, false],
      [true, false],
      [true, false],
      [true, true],
      [true, true],
      [true, true],
    ]);
    expect(phasesOf(two()).map(({ options }) => 'resume' in options)).toEqual([false, false]);
    expect('resume' in phasesOf(two({ resume: snapshotAfter(1) }))[1]!.options).toBe(false);
  });

  test('an epoch is in the phase that trains it, or the last one', () => {
    const phases = phasesOf(two());
    expect([0, 1, 3, 4, 5, 6].map((epoch) => phaseOfEpoch(phases, epoch).phase!.number)).toEqual([1, 1, 1, 2, 2, 2]);
    expect(optionsAt(two(), 3)).toEqual(phases[0]!.options);
    expect(optionsAt(two(), 4)).toEqual(phases[1]!.options);
    expect(optionsAt(run(), 9)).toEqual(run());
  });
});

describe('refuses', () => {
  const refused = (phases: TrainerOptions['phases'] & {}) => messageOfError(() => phasesOf(run({ phases })));

  test('two phases of one name, given or not', async () => {
    expect(await refused([{ name: 'a' }, { name: 'b' }, { name: 'a' }])).toBe(
      'phases[0] and phases[2] are both named "a", and metrics tell phases by their names. Rename one.',
    );
    expect(await refused([{ name: 'phase 2' }, {}])).toMatch(/^phases\[0] and phases\[1] are both named "phase 2"/);
  });

  test('a plugin of a phase that spans the run', async () => {
    expect(await refused([{}, { plugins: [own, all] }])).toBe(
      'phases[1].plugins: expected plugins of the phase; all spans all phases of a run.\n  Make it an entry of `plugins` of the run.',
    );
  });
});
