import { describe, expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import type { LoadedRun } from '../../src/report/runs.ts';
import { madeUpRun } from './in-memory-runs.ts';

const compare = (runs: LoadedRun[], options = {}) => compareRuns({ runs, leftOut: [] }, options);
const labels = (runs: LoadedRun[]) => compare(runs).methods.map(({ label }) => label);

describe('which runs make a method', () => {
  test('the baseline comes first, the others in the order of their paths', () => {
    const run = (method: string) => madeUpRun(method, 1, [9, 5, 1]);
    expect(labels([run('Mixup'), run('erm'), run('CutMix')])).toEqual(['erm', 'Mixup', 'CutMix']);
    expect(labels([run('Mixup'), run('CutMix')])).toEqual(['Mixup', 'CutMix']);
    const chosen = compare([run('Mixup'), run('ERM')], { baseline: 'Mixup' });
    expect(chosen.methods.map(({ label }) => label)).toEqual(['Mixup', 'ERM']);
    expect(() => compare([run('Mixup')], { baseline: 'ERM' })).toThrow(/got "ERM"\. Methods: Mixup\./);
  });

  test('one name with other settings is another method, labelled by what differs', () => {
    const remix = (kappa: number | null, seed: number) =>
      madeUpRun('Remix', seed, [9, 5, 1], { plugins: [{ use: 'remix', ...(kappa === null ? {} : { kappa }) }] });
    expect(labels([remix(3, 1), remix(3, 2), remix(2, 1), remix(null, 1)])).toEqual([
      'Remix (kappa 3)',
      'Remix (kappa 2)',
      'Remix (kappa off)',
    ]);
  });

  test('runs that differ in what only observes are one method', () => {
    const light = madeUpRun('ERM', 1, [9, 5, 1], { plugins: [{ use: 'checkpoint' }] });
    const full = madeUpRun('ERM', 2, [9, 5, 1], { plugins: [{ use: 'checkpoint', full: true }] });
    const { methods } = compare([light, full], { observers: new Set(['checkpoint']) });
    expect(methods.map(({ label, seeds }) => [label, seeds])).toEqual([['ERM', [1, 2]]]);
    expect(labels([light, full])).toEqual(['ERM (full off)', 'ERM (full true)']);
  });

  test('labels stay unique where the name is taken by another method', () => {
    const other = madeUpRun('Remix (kappa 3)', 1, [9, 5, 1]);
    const remix = (kappa: number) => madeUpRun('Remix', 1, [9, 5, 1], { plugins: [{ use: 'remix', kappa }] });
    expect(labels([other, remix(3), remix(2)])).toEqual(['Remix (kappa 3)', 'Remix (kappa 3) #2', 'Remix (kappa 2)']);
  });

  test('a repeated run is no second seed: the newer counts', () => {
    const old = madeUpRun('ERM', 1, [1, 1, 1], { path: 'runs/old', writtenAt: 10 });
    const { methods, leftOut } = compare([
      madeUpRun('ERM', 1, [10, 5, 0], { path: 'runs/new', writtenAt: 20 }),
      old,
      madeUpRun('ERM', 2, [10, 5, 0]),
    ]);
    expect(methods[0]!.seeds).toEqual([1, 2]);
    expect(methods[0]!.figures.accuracy!.mean).toBe(0.5);
    expect(leftOut).toEqual([{ path: 'runs/old', reason: 'repeats seed 1 of ERM; the newer runs/new counts' }]);
  });

  test('a stopped run does not spoil the mean of finished ones, but is shown when there is no other', () => {
    const stopped = madeUpRun('ERM', 2, [1, 1, 1], {
      summary: { status: 'stopped', reason: 'interrupted', lastEpoch: 1 },
    });
    const both = compare([madeUpRun('ERM', 1, [10, 5, 0]), stopped]);
    expect(both.methods[0]!.seeds).toEqual([1]);
    expect(both.leftOut).toEqual([
      { path: 'runs/ERM-2', reason: 'stopped after epoch 1 of 3 (interrupted); ERM has finished runs' },
    ]);
    const alone = compare([stopped]);
    expect(alone.methods[0]!.seeds).toEqual([2]);
    expect(alone.warnings).toEqual(['runs/ERM-2 was stopped after epoch 1 of 3: interrupted.']);
  });
});

test('methods that differ in their fourth setting only are told apart by it', () => {
  const of = (seed: number, options: Record<string, number>) =>
    madeUpRun('Remix', seed, [9, 9, 9], { plugins: [{ use: 'remix', ...options }] });
  const runs = [
    of(1, { a: 1, b: 1, c: 1, d: 1 }),
    of(2, { a: 1, b: 1, c: 1, d: 2 }),
    of(3, { a: 2, b: 2, c: 2, d: 1 }),
  ];
  expect(labels(runs)).toEqual(['Remix (a 1, b 1, c 1, d 1)', 'Remix (a 1, b 1, c 1, d 2)', 'Remix (a 2, b 2, c 2)']);
});
