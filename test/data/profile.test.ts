import { describe, expect, test } from 'vitest';
import { fitLongTail, longTailCounts, type Profile, profileLabel } from '../../src/data/profile.ts';
import reference from '../reference/long-tail-counts.json' with { type: 'json' };

const sum = (counts: readonly number[]): number => counts.reduce((total, n) => total + n, 0);
const exp = (ratio: number): Profile => ({ profile: 'exp', ratio, mu: 0.5 });
const step = (ratio: number, mu = 0.5): Profile => ({ profile: 'step', ratio, mu });

describe('longTailCounts', () => {
  test.each(reference)('$set $profile, ratio $ratio: as the formula of LDAM-DRW in Python', (row) => {
    const profile = { profile: row.profile as 'exp' | 'step', ratio: row.ratio, mu: 0.5 };
    expect(longTailCounts(row.counts[0]!, row.counts.length, profile)).toEqual(row.counts);
  });

  // The published totals and rows.
  test.each([
    ['cifar10', 5000, 10, exp(100), 12406],
    ['cifar10', 5000, 10, exp(10), 20431],
    ['cifar10', 5000, 10, exp(50), 13996],
    ['cifar10', 5000, 10, exp(200), 11203],
    ['cifar10', 5000, 10, step(100), 25250],
    ['cifar10', 5000, 10, step(10), 27500],
    ['cifar100', 500, 100, exp(100), 10847],
    ['cifar100', 500, 100, exp(10), 19573],
    ['cifar100', 500, 100, exp(50), 12608],
    ['cifar100', 500, 100, exp(200), 9502],
    ['cifar100', 500, 100, step(100), 25250],
    ['cifar100', 500, 100, step(10), 27500],
    ['cinic10', 9000, 10, exp(200), 20168],
    ['cinic10', 9000, 10, exp(100), 22332],
    ['cinic10', 9000, 10, exp(50), 25197],
    ['cinic10', 9000, 10, exp(10), 36779],
    ['cinic10', 9000, 10, step(200), 45225],
    ['cinic10', 9000, 10, step(100), 45450],
    ['cinic10', 9000, 10, step(50), 45900],
    ['cinic10', 9000, 10, step(10), 49500],
  ] as const)('%s, %i in each of %i classes, %o: %i images', (_, max, classCount, profile, total) => {
    expect(sum(longTailCounts(max, classCount, profile))).toBe(total);
  });

  test('published rows', () => {
    expect(longTailCounts(5000, 10, exp(100))).toEqual([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]);
    expect(longTailCounts(9000, 10, exp(200))).toEqual([9000, 4995, 2772, 1538, 854, 474, 263, 146, 81, 45]);
    const cifar100 = longTailCounts(500, 100, exp(100));
    expect(cifar100.slice(0, 6)).toEqual([500, 477, 455, 434, 415, 396]);
    expect(cifar100.slice(-6)).toEqual([6, 6, 5, 5, 5, 5]);
    expect([cifar100.filter((n) => n > 100).length, cifar100.filter((n) => n < 20).length]).toEqual([35, 30]);
  });

  test('powers that an engine may round up or down an ulp are the integers that they stand for', () => {
    expect(longTailCounts(5000, 10, exp(1000))[3]).toBe(500);
    for (let root = 2; root <= 10; root++) {
      // ratio root⁹ over 10 classes: each class is exactly 1/root of the one before.
      const counts = longTailCounts(root ** 9, 10, exp(root ** 9));
      expect(counts).toEqual(Array.from({ length: 10 }, (_, c) => root ** (9 - c)));
    }
  });

  test('step: the last mu of the classes are small, none is lost when C is odd', () => {
    expect(longTailCounts(100, 5, step(10))).toEqual([100, 100, 100, 10, 10]);
    expect(longTailCounts(100, 10, step(10, 0.9))).toEqual([100, ...Array(9).fill(10)]);
    expect(longTailCounts(100, 10, step(10, 0.3))).toEqual([...Array(7).fill(100), 10, 10, 10]);
  });

  test('one class, ratio 1 and none are balanced', () => {
    expect(longTailCounts(7, 1, exp(100))).toEqual([7]);
    expect(longTailCounts(7, 3, exp(1))).toEqual([7, 7, 7]);
    expect(longTailCounts(7, 3, { profile: 'none', ratio: 100, mu: 0.5 })).toEqual([7, 7, 7]);
  });
});

describe('fitLongTail', () => {
  test('on a balanced set the largest class is a full class', () => {
    expect(fitLongTail(Array(10).fill(5000), exp(100))).toEqual(longTailCounts(5000, 10, exp(100)));
  });

  test('on an unequal set: the largest profile that is exact, and one more would not fit', () => {
    const available = [30, 9, 40, 4];
    const counts = fitLongTail(available, exp(8));
    expect(counts).toEqual([19, 9, 4, 2]);
    expect(longTailCounts(20, 4, exp(8))[1]).toBe(10);
  });

  test('step needs the largest number in every large class', () => {
    expect(fitLongTail([12, 10, 99, 99], step(5))).toEqual([10, 10, 2, 2]);
  });

  test('none keeps what there is', () => {
    expect(fitLongTail([3, 0, 9], { profile: 'none', ratio: 100, mu: 0.5 })).toEqual([3, 0, 9]);
  });

  test('no images, no profile', () => {
    expect(fitLongTail([0, 5], exp(2))).toEqual([0, 0]);
  });
});

test('a profile in a name', () => {
  expect([exp(100), step(10), { ...exp(1), profile: 'none' as const }].map(profileLabel)).toEqual([
    'exp-100',
    'step-10',
    null,
  ]);
});
