import { describe, expect, test } from 'vitest';
import { drawBoundaries } from '../../src/report/charts/boundaries.ts';
import { optionSpec } from '../../src/report/charts/option.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { madeUpRun, type Right } from './in-memory-runs.ts';

function remix(tau: number, seed: number, right: Right) {
  const run = madeUpRun('Remix', seed, right);
  return { ...run, config: { method: 'Remix', plugins: [{ use: 'remix', tau }] } };
}

describe('accuracy over an option', () => {
  const runs = [1, 2].flatMap((seed) => [
    madeUpRun('ERM', seed, [9, 5, 1]),
    remix(0.5, seed, [9, 5, 4 + seed]),
    remix(0, seed, [9, 5, 1]),
  ]);
  const comparison = compareRuns({ runs, leftOut: [] });

  test('a series by value, and methods without the option across', () => {
    const spec = JSON.parse(JSON.stringify(optionSpec(comparison, 'plugins.remix.tau')));
    const [balanced] = spec.hconcat;
    expect(balanced.data.values.map(({ value, mean }: { value: number; mean: number }) => [value, mean])).toEqual([
      [0, expect.closeTo(50, 9)],
      [0.5, expect.closeTo((100 * (19 + 20)) / 60, 9)],
    ]);
    expect(balanced.layer[2].data.values).toEqual([
      expect.objectContaining({ method: 'ERM', mean: expect.closeTo(50, 9) }),
    ]);
  });

  test('an option that the runs do not differ in is refused, with those that they have', () => {
    expect(() => optionSpec(comparison, 'plugins.remix.kappa')).toThrow(
      'figure: expected runs with two values or more of plugins.remix.kappa; there are none. Options of their plugins:\n  plugins.remix.tau',
    );
  });
});

test('boundaries: a panel each, the points where they are', async () => {
  const panel = { title: 'a < b', side: 2, probability: Float32Array.of(0, 0.4, 0.6, 1) };
  const points = [
    { x: 0, y: 1, label: 0 },
    { x: 0.5, y: 0.25, label: 1 },
  ];
  const svg = await drawBoundaries([[{ ...panel, points }], [{ ...panel, points: [] }]], 'two');
  expect(svg.match(/<image /g)).toHaveLength(2);
  expect(svg).toContain('a &lt; b');
  expect(svg).toContain('d="M0.0 0.0h0"');
  expect(svg).toContain('d="M120.0 180.0h0"');
});
