import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import mixup, { mixupBatch, mixupLambda } from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { randomStream } from '../../src/random.ts';
import { smallInfo } from '../support/info.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

const labels = Int32Array.from({ length: 64 }, (_, i) => i % 4);
const mixed = (options: Parameters<typeof mixup>[0], step = 1, seed = 0) =>
  mixBatch(compose([mixup(options)], smallInfo({ seed })), labels, at(1, step));

describe('mixupLambda', () => {
  test('alpha 0 mixes nothing', () => {
    expect(mixupLambda(0, randomStream('any'))).toBe(1);
  });

  test.each([0.2, 1, 4])('alpha %f: mean 1/2 and variance 1 / (4 (2 alpha + 1)) of a Beta(alpha, alpha)', (alpha) => {
    const random = randomStream('moments', alpha);
    const draws = Array.from({ length: 20_000 }, () => mixupLambda(alpha, random));
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    expect(mean).toBeCloseTo(0.5, 2);
    expect(variance / (1 / (4 * (2 * alpha + 1)))).toBeCloseTo(1, 1);
  });
});

describe('mixupBatch', () => {
  test('pairs are a permutation and weights lie in 0…1, for every size and setting', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.oneof(fc.constant(0), fc.double({ min: 1e-300, max: 8, noNaN: true })),
        fc.constantFrom('batch' as const, 'sample' as const),
        fc.integer(),
        (size, alpha, lambda, key) => {
          const drawn = mixupBatch({ size, replicas: 1 }, { alpha, lambda }, randomStream(key));
          expect(Array.from(drawn.pair).sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
          for (const weight of drawn.lambda) expect(weight >= 0 && weight <= 1).toBe(true);
          if (lambda === 'batch') expect(new Set(drawn.lambda).size).toBe(1);
        },
      ),
    );
  });

  test('partners do not depend on alpha or on how lambda is drawn', () => {
    const pairs = [
      { alpha: 1, lambda: 'batch' as const },
      { alpha: 0.2, lambda: 'sample' as const },
      { alpha: 0, lambda: 'batch' as const },
    ].map((options) => mixupBatch({ size: 32, replicas: 1 }, options, randomStream('same')).pair);
    expect(pairs[1]).toEqual(pairs[0]);
    expect(pairs[2]).toEqual(pairs[0]);
  });
});

describe('the plugin', () => {
  test('one lambda per batch by default, one per sample on request', () => {
    expect(new Set(mixed({}).batch.lambda).size).toBe(1);
    expect(new Set(mixed({ lambda: 'sample' }).batch.lambda).size).toBeGreaterThan(32);
  });

  test('labels weigh what their images weigh', () => {
    const { batch, targets } = mixed({ lambda: 'sample' });
    expect(targets.labelWeight).toEqual(batch.lambda);
    expect(Array.from(targets.pairLabels)).toEqual(Array.from(batch.pair, (row) => labels[row]));
  });

  test('draws depend on seed and step, and on nothing else', () => {
    expect(mixed({}).batch).toEqual(mixed({}).batch);
    expect(mixed({}, 2).batch.pair).not.toEqual(mixed({}).batch.pair);
    expect(mixed({}, 1, 1).batch.pair).not.toEqual(mixed({}).batch.pair);
  });

  test('mixes at the input, among the trained rows only', () => {
    const { variants, hooks } = compose([mixup()], smallInfo());
    expect(variants).toEqual({ mix: ['input'] });
    const pool = { size: 4, indices: Int32Array.from(Array(8).keys()), labels: new Int32Array(8), groups: {} };
    for (let step = 1; step <= 20; step++) {
      const batch = hooks.onBatch.call({ ...mixed({}).batch, ...pool, poolSize: 8 }, at(1, step));
      expect(Math.max(...batch.pair)).toBeLessThan(4);
    }
  });

  test('a label rule has nothing to do with alpha 0, and only then', () => {
    const info = infoWithCounts([300, 100, 20]);
    expect(warningsOf([mixup({ alpha: 0 }), remix()], info)).toEqual([
      'NOT_INTENDED [mixup] with remix: alpha is 0: nothing is mixed, and no label changes.',
    ]);
    expect(warningsOf([mixup(), remix()], info)).toEqual([]);
  });
});
