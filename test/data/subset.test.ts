import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { drawRows, hashRows, numpyGenerator, numpyShuffle, rowsByClass, subsetOf } from '../../src/data/subset.ts';
import type { Split } from '../../src/data/types.ts';
import reference from '../reference/numpy-subset.json' with { type: 'json' };

const range = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

describe('numpyShuffle', () => {
  test('NumPy’s values: two shuffles of 5,000 from seed 0', () => {
    const generator = numpyGenerator(0);
    const first = range(5000);
    numpyShuffle(first, generator);
    expect([...first.subarray(0, 8)]).toEqual([398, 3833, 4836, 4572, 636, 2545, 1161, 2230]);
    const second = range(5000);
    numpyShuffle(second, generator);
    expect([...second.subarray(0, 8)]).toEqual([597, 332, 521, 3935, 4800, 1102, 4304, 1826]);
  });

  test.each(reference.shuffles)('whole shuffles equal NumPy’s, seed $seed', ({ seed, calls }) => {
    const generator = numpyGenerator(seed);
    for (const { n, first, sha256 } of calls) {
      const values = range(n);
      numpyShuffle(values, generator);
      expect([...values.subarray(0, 8)]).toEqual(first);
      expect(hashRows(values)).toBe(sha256);
    }
  });
});

describe('drawRows', () => {
  const labels = Int32Array.from({ length: 50_000 }, (_, i) => Math.floor((i * 7919) / 13) % 10);

  test.each(reference.subsets)('a long-tailed subset has NumPy’s hash, seed $seed', ({ seed, counts, sha256 }) => {
    const rows = drawRows(rowsByClass(labels, 10), counts, seed);
    expect(hashRows(rows)).toBe(sha256);
    expect(rows.map((row) => labels[row]!)).toEqual(rows.map((row) => labels[row]!).sort());
  });

  test('does not touch the lists it draws from', () => {
    const rows = [range(5)];
    drawRows(rows, [2], 3);
    expect(rows).toEqual([range(5)]);
  });
});

test('rowsByClass keeps the order of the split, empty classes too', () => {
  const rows = rowsByClass(Int32Array.of(2, 0, 2, 0, 0), 4);
  expect(rows.map((own) => [...own])).toEqual([[1, 3, 4], [], [0, 2], []]);
});

test('hashRows is SHA-256 over little-endian int32, of a view too', () => {
  const bytes = Buffer.from([1, 0, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255]);
  const expected = createHash('sha256').update(bytes).digest('hex');
  expect(hashRows(Int32Array.of(1, 256, -1))).toBe(expected);
  expect(hashRows(Int32Array.of(9, 1, 256, -1, 9).subarray(1, 4))).toBe(expected);
});

test('subsetOf counts classes', () => {
  const split: Split = {
    name: 'train',
    labels: Int32Array.of(0, 2, 2, 0),
    pixels: { kind: 'memory', bytes: new SharedArrayBuffer(0) },
  };
  const subset = subsetOf(split, Int32Array.of(1, 2, 3), 4);
  expect([...subset.classCounts]).toEqual([1, 0, 2, 0]);
  expect(subset.hash).toBe(hashRows(Int32Array.of(1, 2, 3)));
});
