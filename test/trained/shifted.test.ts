import { expect, test } from 'vitest';
import { subsetOf } from '../../src/data/subset.ts';
import type { Split } from '../../src/data/types.ts';
import { shifts } from '../../src/metrics/shift.ts';
import { shiftedSubset } from '../../src/trained/shifted.ts';

const bytes = new SharedArrayBuffer(0);
const splitOf = (counts: readonly number[]): Split => ({
  name: 'test',
  labels: Int32Array.from(counts.flatMap((n, c) => new Array<number>(n).fill(c))),
  pixels: { kind: 'memory', bytes },
});
const whole = (counts: readonly number[]) => {
  const split = splitOf(counts);
  return subsetOf(split, Int32Array.from(split.labels.keys()), counts.length);
};
const shiftOf = (name: string) => shifts.find((shift) => shift.name === name)!;

test('sizes of SADE’s test sets of CIFAR-100', () => {
  const subset = whole(new Array<number>(100).fill(100));
  const training = Array.from({ length: 100 }, (_, c) => Math.trunc(500 * 0.01 ** (c / 99)));
  const sizes = shifts.map((shift) => shiftedSubset(subset, training, shift).indices.length);
  const half = [2486, 2956, 3876, 4932, 7166];
  expect(sizes).toEqual([...half, 10000, ...half.toReversed()]);
});

test('the class with most training images has most, or fewest; the same images each time', () => {
  const subset = whole([30, 30, 30]);
  const training = [5, 500, 50];
  const forward = shiftedSubset(subset, training, shiftOf('forward25'));
  expect([...forward.classCounts]).toEqual([1, 30, 6]);
  expect([...shiftedSubset(subset, training, shiftOf('backward25')).classCounts]).toEqual([30, 1, 6]);
  expect(shiftedSubset(subset, training, shiftOf('forward25')).hash).toBe(forward.hash);
  expect([...forward.indices].every((row, i, rows) => rows.indexOf(row) === i)).toBe(true);
  // Drawn, not the first ones.
  expect([...forward.indices.slice(1, 31)]).not.toEqual(Array.from({ length: 30 }, (_, i) => 30 + i));
});

test('of unequal classes as many as the shares allow; a part of a split; a class without images stays without', () => {
  expect([...shiftedSubset(whole([8, 100, 40]), [9, 7, 5], shiftOf('uniform')).classCounts]).toEqual([8, 8, 8]);
  const split = splitOf([10, 10, 10]);
  const part = subsetOf(split, Int32Array.of(3, 4, 5, 6, 11, 12, 13, 14), 3);
  const found = shiftedSubset(part, [9, 7, 5], shiftOf('forward2'));
  expect([...found.classCounts]).toEqual([4, 2, 0]);
  expect([...found.indices].every((row) => part.indices.includes(row))).toBe(true);
});

test('too few images for the proportions are refused', () => {
  expect(() => shiftedSubset(whole([20, 20, 20]), [9, 7, 5], shiftOf('forward50'))).toThrow(
    '--shift forward50: expected images of all classes that the test split has, so many that each keeps one; got fewer.',
  );
});
