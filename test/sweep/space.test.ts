import { expect, test } from 'vitest';
import { drawTrials, type Search } from '../../src/sweep/space.ts';
import { varietiesOf } from '../../src/sweep/varieties.ts';

const range = (min: number, max: number, more = {}): Search['space'][string] => ({
  min,
  max,
  scale: 'linear',
  whole: false,
  ...more,
});

const drawn = (of: Search['space'][string], trials: number): number[] =>
  drawTrials({ seed: 1, trials, space: { x: of } }).map(({ x }) => x as number);

test('draws are even on their scale, within their range, and what a label shows', () => {
  const linear = drawn(range(2, 4), 400);
  const log = drawn(range(0.001, 10, { scale: 'log' }), 400);
  for (const value of [...linear, ...log]) expect(Number(value.toPrecision(3))).toBe(value);
  expect(linear.every((value) => value >= 2 && value <= 4)).toBe(true);
  expect(log.every((value) => value >= 0.001 && value <= 10)).toBe(true);
  // Fewer of the linear ones than were asked for: three digits have 201 values.
  expect(linear.length).toBeGreaterThan(150);
  const below = (values: readonly number[], bound: number) =>
    values.filter((value) => value < bound).length / values.length;
  expect(below(linear, 3)).toBeCloseTo(0.5, 1);
  expect(below(log, 0.1)).toBeCloseTo(0.5, 1);
  expect(new Set(drawn(range(3, 6, { whole: true }), 100))).toEqual(new Set([3, 4, 5, 6]));
  expect(drawn(range(1, 1000, { whole: true, scale: 'log' }), 100).every(Number.isInteger)).toBe(true);
});

test('more trials keep the first ones; other seeds draw others; no trial is drawn twice', () => {
  const space = { a: range(0, 1), b: ['x', 'y'] };
  const of = (trials: number, seed = 0) => drawTrials({ seed, trials, space });
  expect(of(20).slice(0, 5)).toEqual(of(5));
  expect(of(5, 1)).not.toEqual(of(5));
  const few = drawTrials({ seed: 0, trials: 50, space: { b: ['x', 'y', 'z'] } });
  expect(few.map(({ b }) => b).sort()).toEqual(['x', 'y', 'z']);
});

test('trials are combined with the grid; the baseline goes without the plugins whose options vary', () => {
  const search: Search = { trials: 2, seed: 0, space: { 'plugins.remix.kappa': [2, 3] } };
  const options = { grid: { 'train.epochs': [5, 6] }, search };
  const varieties = varietiesOf(options, () => 'here');
  expect(varieties.map(({ parts }) => parts.join(' '))).toEqual(
    [5, 6]
      .flatMap((epochs) => varieties.slice(0, 2).map(({ parts }) => `epochs=${epochs} ${parts[1]}`))
      .concat('without remix'),
  );
  expect(varieties.at(-1)).toMatchObject({
    isBaseline: true,
    settings: [{ path: ['plugins', 'remix', 'enabled'], value: false }],
  });
  expect(varietiesOf({ ...options, baseline: false }, () => null)).toHaveLength(4);
  expect(varietiesOf({ grid: { 'plugins.remix.kappa': [2], 'plugins.drw.beta': [0.9] } }, () => null)).toHaveLength(1);
  const asked = varietiesOf(
    { grid: { 'plugins.remix.kappa': [2], 'plugins.drw.beta': [0.9] }, baseline: true },
    () => null,
  );
  expect(asked.map(({ parts }) => parts.join(' '))).toEqual(['kappa=2 beta=0.9', 'without remix and drw']);
  expect(varietiesOf({ grid: { 'train.epochs': [1] }, baseline: true }, () => null)).toHaveLength(1);
});
