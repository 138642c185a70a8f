import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLogitKeeper, keptTable } from '../../src/metrics/logits.ts';
import { encodeHalves, halfToNumber, LARGEST_HALF } from '../../src/util/half.ts';

function numberToHalf(value: number): number {
  const bits = new Uint16Array(1);
  encodeHalves(Float32Array.of(value), bits);
  return bits[0]!;
}

test('every half is the half of the number that it stands for', () => {
  for (let bits = 0; bits < 2 ** 16; bits++) {
    const value = halfToNumber(bits);
    if (Number.isNaN(value)) expect(Number.isNaN(halfToNumber(numberToHalf(value)))).toBe(true);
    else expect(numberToHalf(value)).toBe(bits);
  }
});

test('a number becomes the nearest half, of two the even one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x7bfe }), fc.double({ min: 0, max: 1, noNaN: true }), (bits, part) => {
      const [low, high] = [halfToNumber(bits), halfToNumber(bits + 1)];
      const value = Math.fround(low + part * (high - low));
      const [toLow, toHigh] = [value - low, high - value];
      const nearest = toLow === toHigh ? bits + (bits % 2) : toLow < toHigh ? bits : bits + 1;
      expect(numberToHalf(value)).toBe(nearest);
      expect(numberToHalf(-value)).toBe(nearest + 0x8000);
    }),
    { numRuns: 2000 },
  );
  expect(halfToNumber(numberToHalf(65519.99))).toBe(LARGEST_HALF);
  expect(halfToNumber(numberToHalf(65520))).toBe(Number.POSITIVE_INFINITY);
  expect(halfToNumber(numberToHalf(-Number.MAX_VALUE))).toBe(Number.NEGATIVE_INFINITY);
});

test('kept logits predict what the logits did, and come back within half of the last place', () => {
  const rows = [
    [3, 3.00001, -2],
    [1e5, -1e5, 99_999.5],
    [-0.1, -0.2, -0.1],
  ];
  const keeper = createLogitKeeper(3, 3);
  keeper.add(Float32Array.from(rows.slice(0, 2).flat()), Int32Array.of(1, 0), Int32Array.of(4, 7));
  keeper.add(Float32Array.from(rows[2]!), Int32Array.of(2), Int32Array.of(9));
  const kept = keeper.result();
  expect([...kept.labels]).toEqual([1, 0, 2]);
  expect([...kept.indices]).toEqual([4, 7, 9]);
  expect([...kept.highest]).toEqual([3.00001, 1e5, -0.1].map(Math.fround));
  const table = keptTable(kept);
  const first = [...table.below(0)];
  expect(first[1]).toBe(0);
  expect(first[0]).toBeLessThan(0);
  expect(first[0]).toBeCloseTo(-1e-5, 6);
  expect([...table.below(1)]).toEqual([0, -LARGEST_HALF, -0.5]);
  expect([...table.below(2)]).toEqual([0, expect.closeTo(-0.1, 4), 0]);
});
