import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import mixup from '../../plugins/mixup/index.ts';
import remix, { remixLambda } from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

const paper = { kappa: 3, tau: 0.5 };

describe('remixLambda (eq. 10), by hand', () => {
  test.each([
    // The sample's class is three times as frequent: all goes to the partner while the sample has less than half.
    { lambda: 0.3, ni: 300, nj: 100, expected: 0 },
    { lambda: 0.49, ni: 300, nj: 100, expected: 0 },
    { lambda: 0.5, ni: 300, nj: 100, expected: 0.5 },
    { lambda: 0.51, ni: 300, nj: 100, expected: 0.51 },
    { lambda: 0.7, ni: 300, nj: 100, expected: 0.7 },
    // One image short of the ratio.
    { lambda: 0.3, ni: 299, nj: 100, expected: 0.3 },
    { lambda: 0.3, ni: 5000, nj: 50, expected: 0 },
    // The partner's class is three times as frequent: all goes to the sample while the partner has less than half.
    { lambda: 0.7, ni: 100, nj: 300, expected: 1 },
    { lambda: 0.51, ni: 100, nj: 300, expected: 1 },
    { lambda: 0.5, ni: 100, nj: 300, expected: 0.5 },
    { lambda: 0.49, ni: 100, nj: 300, expected: 0.49 },
    { lambda: 0.3, ni: 100, nj: 300, expected: 0.3 },
    { lambda: 0.7, ni: 100, nj: 299, expected: 0.7 },
    { lambda: 0.7, ni: 50, nj: 5000, expected: 1 },
    // Equal counts; a sample that is its own partner is one of them.
    { lambda: 0.3, ni: 100, nj: 100, expected: 0.3 },
    { lambda: 0.7, ni: 100, nj: 100, expected: 0.7 },
    // The ends.
    { lambda: 0, ni: 300, nj: 100, expected: 0 },
    { lambda: 1, ni: 300, nj: 100, expected: 1 },
    { lambda: 0, ni: 100, nj: 300, expected: 0 },
    { lambda: 1, ni: 100, nj: 300, expected: 1 },
  ])('lambda $lambda, n $ni against $nj: $expected', ({ lambda, ni, nj, expected }) => {
    expect(remixLambda(lambda, ni, nj, paper)).toBe(expected);
  });

  test.each([
    { kappa: 10, tau: 0.5, lambda: 0.3, ni: 999, nj: 100, expected: 0.3 },
    { kappa: 10, tau: 0.5, lambda: 0.3, ni: 1000, nj: 100, expected: 0 },
    { kappa: 3, tau: 0.2, lambda: 0.3, ni: 300, nj: 100, expected: 0.3 },
    { kappa: 3, tau: 0.2, lambda: 0.19, ni: 300, nj: 100, expected: 0 },
    { kappa: 3, tau: 0.9, lambda: 0.15, ni: 100, nj: 300, expected: 1 },
    { kappa: 3, tau: 0.9, lambda: 0.1, ni: 100, nj: 300, expected: 0.1 },
    { kappa: 3, tau: 1, lambda: 0.999, ni: 300, nj: 100, expected: 0 },
    { kappa: 3, tau: 0, lambda: 0, ni: 300, nj: 100, expected: 0 },
    { kappa: Infinity, tau: 1, lambda: 0.3, ni: 5000, nj: 1, expected: 0.3 },
    { kappa: Infinity, tau: 1, lambda: 0.7, ni: 1, nj: 5000, expected: 0.7 },
  ])('kappa $kappa, tau $tau, lambda $lambda, n $ni against $nj: $expected', ({ expected, ...given }) => {
    expect(remixLambda(given.lambda, given.ni, given.nj, given)).toBe(expected);
  });
});

describe('remixLambda, at the ratio itself, is exact for a decimal kappa as it is written', () => {
  test('55 images against 50 with kappa 1.1', () => {
    expect(remixLambda(0.3, 55, 50, { kappa: 1.1, tau: 0.5 })).toBe(0);
    expect(remixLambda(0.7, 50, 55, { kappa: 1.1, tau: 0.5 })).toBe(1);
    expect(remixLambda(0.3, 54, 50, { kappa: 1.1, tau: 0.5 })).toBe(0.3);
  });

  test('six decimals and a million images, in BigInt', () => {
    const sides = fc.record({
      p: fc.integer({ min: 1_000_001, max: 100_000_000 }),
      nj: fc.integer({ min: 1, max: 1_000_000 }),
      off: fc.integer({ min: -1, max: 1 }),
    });
    fc.assert(
      fc.property(sides, ({ p, nj, off }) => {
        const kappa = Number(`${Math.trunc(p / 1e6)}.${String(p % 1e6).padStart(6, '0')}`);
        const ni = Number((BigInt(p) * BigInt(nj)) / 1_000_000n) + off;
        const isRelabelled = BigInt(ni) * 1_000_000n >= BigInt(p) * BigInt(nj);
        expect(remixLambda(0.3, ni, nj, { kappa, tau: 0.5 })).toBe(isRelabelled ? 0 : 0.3);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('remixLambda, properties', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const count = fc.integer({ min: 1, max: 10_000 });
  const kappa = fc.oneof(fc.double({ min: 1, minExcluded: true, max: 200, noNaN: true }), fc.constant(Infinity));

  test('is 0, 1 or lambda, and moves towards the rarer class only', () => {
    fc.assert(
      fc.property(share, count, count, kappa, share, (lambda, ni, nj, kappa, tau) => {
        const weight = remixLambda(lambda, ni, nj, { kappa, tau });
        expect([0, 1, lambda]).toContain(weight);
        if (weight < lambda) expect(nj).toBeLessThan(ni);
        if (weight > lambda) expect(ni).toBeLessThan(nj);
      }),
    );
  });

  test('equal counts, tau 0 or kappa infinity change nothing', () => {
    fc.assert(
      fc.property(share, count, count, kappa, share, (lambda, ni, nj, kappa, tau) => {
        expect(remixLambda(lambda, ni, ni, { kappa, tau })).toBe(lambda);
        expect(remixLambda(lambda, ni, nj, { kappa, tau: 0 })).toBe(lambda);
        expect(remixLambda(lambda, ni, nj, { kappa: Infinity, tau })).toBe(lambda);
      }),
    );
  });

  test('does not care which of the two is called the sample', () => {
    // Multiples of 1/1024, so that 1 − lambda is exact.
    const exact = fc.integer({ min: 0, max: 1024 }).map((n) => n / 1024);
    fc.assert(
      fc.property(
        exact,
        count,
        count,
        kappa,
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (lambda, ni, nj, kappa, tau) => {
          const options = { kappa, tau };
          expect(remixLambda(1 - lambda, nj, ni, options)).toBe(1 - remixLambda(lambda, ni, nj, options));
        },
      ),
    );
  });
});

describe('the plugin', () => {
  const counts = [300, 100, 20];
  const labels = Int32Array.from({ length: 48 }, (_, i) => i % 3);
  const mixers = fc.record({
    alpha: fc.constantFrom(0.2, 1, 4),
    lambda: fc.constantFrom('batch' as const, 'sample' as const),
    seed: fc.nat(1000),
  });

  test('relabels by training counts and leaves the images as the mixer mixed them', () => {
    fc.assert(
      fc.property(mixers, ({ alpha, lambda, seed }) => {
        const info = infoWithCounts(counts, { seed });
        const plain = mixBatch(compose([mixup({ alpha, lambda })], info), labels, at(1));
        const { batch, targets } = mixBatch(compose([mixup({ alpha, lambda }), remix()], info), labels, at(1));
        expect(batch).toEqual(plain.batch);
        expect({ ...targets, labelWeight: null }).toEqual({ ...plain.targets, labelWeight: null });
        targets.labelWeight.forEach((weight, i) => {
          const [ni, nj] = [counts[labels[i]!]!, counts[targets.pairLabels[i]!]!];
          expect(weight).toBe(remixLambda(batch.lambda[i]!, ni, nj, paper));
        });
      }),
      { numRuns: 40 },
    );
  });

  test.each([{ tau: 0 }, { kappa: Infinity }])('%o is the plain mixer', (options) => {
    const info = infoWithCounts(counts);
    const plain = mixBatch(compose([mixup()], info), labels, at(1));
    expect(mixBatch(compose([mixup(), remix(options)], info), labels, at(1))).toEqual(plain);
  });

  test('counts are those of the training set, not of the batch', () => {
    // The batch is all but full of class 2, the rarest of the training set.
    const skewed = Int32Array.from({ length: 48 }, (_, i) => (i === 0 ? 0 : 2));
    const composition = compose([mixup(), remix({ tau: 1 })], infoWithCounts(counts));
    for (let step = 1; step <= 10; step++) {
      const { batch, targets } = mixBatch(composition, skewed, at(1, step));
      if (batch.pair[0] !== 0) expect(targets.labelWeight[0]).toBe(0);
    }
  });

  test('requires a mixer', () => {
    expect(() => compose([remix()], infoWithCounts(counts))).toThrowErrorMatchingInlineSnapshot(`
      [TailmixError: plugins[0] (remix) requires "mix", which no plugin provides.
        Add one that does: \`tailmix plugins\` lists them.]
    `);
  });

  test('says when it cannot have an effect', () => {
    const info = infoWithCounts(counts);
    expect([
      ...warningsOf([mixup(), remix({ kappa: 15.1 })], info),
      ...warningsOf([mixup(), remix({ kappa: Infinity })], info),
      ...warningsOf([mixup(), remix({ tau: 0 })], info),
    ]).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [remix] kappa 15.1 is above the data's ratio of 15: no label will change.",
        "NO_EFFECT [remix] kappa Infinity is above the data's ratio of 15: no label will change.",
        "NO_EFFECT [remix] tau is 0: no label will change.",
      ]
    `);
    expect(warningsOf([mixup(), remix({ kappa: 15 })], info)).toEqual([]);
  });

  test.each([{ kappa: 1 }, { kappa: -3 }, { kappa: Number.NaN }, { tau: -0.1 }, { tau: 1.1 }])(
    'refuses %o',
    (options) => {
      expect(() => remix(options)).toThrow(z.ZodError);
    },
  );
});

test('labels of extra draws are counted by their class too', () => {
  const composition = compose([mixup(), remix({ tau: 1 })], infoWithCounts([300, 100, 20]));
  const rows = {
    size: 1,
    indices: Int32Array.of(0, 1),
    labels: Int32Array.of(0, 2),
    groups: { other: { start: 1, size: 1 } },
  };
  const batch = { ...createBatch(rows, composition.variants), pair: Int32Array.of(1), lambda: Float32Array.of(0.9) };
  expect(Array.from(composition.hooks.computeTargets.call(createTargets(batch), at(1)).labelWeight)).toEqual([0]);
});
