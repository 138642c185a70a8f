import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import mamix, { mamixLambda } from '../../plugins/mamix/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

const paper = { omega: -0.25 };

describe('mamixLambda, by hand', () => {
  // k = n^−1/4: 16 → 1/2, 1 → 1, 81 → 1/3, 256 → 1/4.
  test.each([
    // t = (1/2) / (3/2) = 1/3 of the partner earns half.
    { lambda: 2 / 3, ni: 16, nj: 1, expected: 0.5 },
    { lambda: 5 / 6, ni: 16, nj: 1, expected: 0.75 },
    { lambda: 1 / 3, ni: 16, nj: 1, expected: 0.25 },
    { lambda: 1 / 3, ni: 1, nj: 16, expected: 0.5 },
    { lambda: 2 / 3, ni: 1, nj: 16, expected: 0.75 },
    // t = 1/5.
    { lambda: 0.8, ni: 256, nj: 1, expected: 0.5 },
    { lambda: 0.9, ni: 256, nj: 1, expected: 0.75 },
    { lambda: 0.4, ni: 256, nj: 1, expected: 0.25 },
    // Equal classes, and the ends.
    { lambda: 0.3, ni: 81, nj: 81, expected: 0.3 },
    { lambda: 0, ni: 81, nj: 16, expected: 0 },
    { lambda: 1, ni: 81, nj: 16, expected: 1 },
  ])('lambda $lambda, n $ni against $nj: $expected', ({ lambda, ni, nj, expected }) => {
    expect(mamixLambda(lambda, ni, nj, paper)).toBeCloseTo(expected, 12);
  });

  test('24% of an image of a class with 50 images is half of the label against one with 5000', () => {
    expect(mamixLambda(0.2403, 50, 5000, paper)).toBeCloseTo(0.5, 3);
    expect(mamixLambda(1 - 0.2403, 5000, 50, paper)).toBeCloseTo(0.5, 3);
  });
});

describe('mamixLambda, properties', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const count = fc.integer({ min: 1, max: 1_000_000 });
  const omega = fc.double({ min: -1, max: 0, noNaN: true });

  test('lies in 0…1, rises with lambda, and favours the rarer class', () => {
    fc.assert(
      fc.property(share, share, count, count, omega, (a, b, ni, nj, omega) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((lambda) => mamixLambda(lambda, ni, nj, { omega }));
        expect(low! >= 0 && high! <= 1).toBe(true);
        expect(high! - low!).toBeGreaterThan(-1e-12);
        const moved = mamixLambda(a, ni, nj, { omega }) - a;
        if (ni < nj) expect(moved).toBeGreaterThan(-1e-12);
        if (ni > nj) expect(moved).toBeLessThan(1e-12);
      }),
    );
  });

  test('does not care which of the two is called the sample', () => {
    fc.assert(
      fc.property(share, count, count, omega, (lambda, ni, nj, omega) => {
        const sum = mamixLambda(lambda, ni, nj, { omega }) + mamixLambda(1 - lambda, nj, ni, { omega });
        expect(sum).toBeCloseTo(1, 9);
      }),
    );
  });

  test('equal counts or omega 0 change nothing', () => {
    fc.assert(
      fc.property(share, count, count, omega, (lambda, ni, nj, omega) => {
        expect(mamixLambda(lambda, ni, ni, { omega })).toBe(lambda);
        expect(mamixLambda(lambda, ni, nj, { omega: 0 })).toBe(lambda);
      }),
    );
  });
});

describe('the plugin', () => {
  test('weights labels by training counts and leaves the images as the mixer mixed them', () => {
    const counts = [300, 100, 20];
    const labels = Int32Array.from({ length: 48 }, (_, i) => i % 3);
    const info = infoWithCounts(counts);
    const plain = mixBatch(compose([mixup({ lambda: 'sample' })], info), labels, at(1));
    const { batch, targets } = mixBatch(compose([mixup({ lambda: 'sample' }), mamix()], info), labels, at(1));
    expect(batch).toEqual(plain.batch);
    expect({ ...targets, labelWeight: null }).toEqual({ ...plain.targets, labelWeight: null });
    expect(targets.labelWeight).toEqual(
      batch.lambda.map((lambda, i) => mamixLambda(lambda, counts[labels[i]!]!, counts[targets.pairLabels[i]!]!, paper)),
    );
    expect(targets.labelWeight).not.toEqual(batch.lambda);
  });

  test('is a label rule: it requires a mixer', () => {
    expect(() => compose([mamix()], infoWithCounts([4, 2]))).toThrow('requires "mix"');
  });

  test('says when it cannot have an effect', () => {
    expect([
      ...warningsOf([mixup(), mamix({ omega: 0 })], infoWithCounts([300, 20])),
      ...warningsOf([mixup(), mamix()], infoWithCounts([20, 20])),
    ]).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [mamix] omega is 0: no label will change.",
        "NO_EFFECT [mamix] all classes are of one size: no label will change.",
      ]
    `);
    expect(warningsOf([mixup(), mamix()], infoWithCounts([300, 20]))).toEqual([]);
  });

  test.each([{ omega: 0.25 }, { omega: -1.5 }, { omega: Number.NaN }])('refuses %o', (options) => {
    expect(() => mamix(options)).toThrow(z.ZodError);
  });
});
