import { describe, expect, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { imageWeights } from '../../plugins/resample/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { longTailCounts } from '../../src/data/profile.ts';
import { randomStream } from '../../src/random.ts';
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';

describe('share of relabelled samples', () => {
  const exp = (max: number, C: number, ratio: number) => longTailCounts(max, C, { profile: 'exp', ratio, mu: 0.5 });
  const step = (ratio: number) => longTailCounts(5000, 10, { profile: 'step', ratio, mu: 0.5 });
  const table = [
    { set: 'CIFAR-10 LT, ratio 100', counts: exp(5000, 10, 100), shares: [13.0, 28.2, 28.0] },
    { set: 'CIFAR-10 LT, ratio 10', counts: exp(5000, 10, 10), shares: [10.4, 15.2, 15.0] },
    { set: 'CIFAR-10 step, ratio 100', counts: step(100), shares: [0.98, 24.7, 25.0] },
    { set: 'CIFAR-10 step, ratio 10', counts: step(10), shares: [8.3, 24.7, 25.0] },
    { set: 'CIFAR-100 LT, ratio 100', counts: exp(500, 100, 100), shares: [16.0, 29.6, 29.6] },
    { set: 'CIFAR-100 LT, ratio 10', counts: exp(500, 100, 10), shares: [10.3, 14.1, 14.0] },
    { set: 'CINIC-10 LT, ratio 200', counts: exp(9000, 10, 200), shares: [19.6, 36.1, 36.0] },
    { set: 'CINIC-10 LT, ratio 100', counts: exp(9000, 10, 100), shares: [13.0, 28.3, 28.0] },
  ];
  const samplers = ['instance', 'effective-number', 'class-uniform'] as const;
  const cases = table.flatMap(({ set, counts, shares }) =>
    samplers.map((sampler, i) => ({ set, counts, sampler, percent: shares[i]! })),
  );
  const chances = (counts: readonly number[], sampler: (typeof samplers)[number]): number[] => {
    const weights = sampler === 'instance' ? null : imageWeights(counts, { weights: sampler, beta: 0.9999 });
    const mass = counts.map((n, c) => n * (weights?.[c] ?? 1));
    const sum = mass.reduce((a, b) => a + b);
    return mass.map((m) => m / sum);
  };

  test.each(cases)('$set, $sampler: $percent %, in closed form', ({ counts, sampler, percent }) => {
    const p = chances(counts, sampler);
    let eligible = 0;
    counts.forEach((ni, i) => {
      counts.forEach((nj, j) => {
        if (Math.max(ni, nj) / Math.min(ni, nj) >= 3) eligible += p[i]! * p[j]!;
      });
    });
    // For alpha 1, lambda is uniform: either side of tau is as likely.
    const digits = percent < 1 ? 2 : 1;
    expect(Math.abs(50 * eligible - percent)).toBeLessThanOrEqual(0.51 * 10 ** -digits);
  });

  test.each(cases.filter(({ set }) => set.endsWith('ratio 100')))(
    '$set, $sampler, by the plugins',
    ({ counts, sampler, percent }) => {
      const p = chances(counts, sampler);
      const random = randomStream('relabelled', sampler);
      const upTo = p.map((_, c) => p.slice(0, c + 1).reduce((a, b) => a + b));
      const draw = (): number => {
        const u = random.uniform();
        return upTo.findIndex((sum, c) => u < sum || c === upTo.length - 1);
      };
      const composition = compose([mixup(), remix()], infoWithCounts(counts));
      const [batches, size] = [500, 128];
      let changed = 0;
      for (let step = 1; step <= batches; step++) {
        const { batch, targets } = mixBatch(composition, Int32Array.from({ length: size }, draw), at(1, step));
        changed += targets.labelWeight.filter((weight, i) => weight !== batch.lambda[i]).length;
      }
      // Six standard errors of a share of 64,000 draws at most.
      expect(Math.abs((100 * changed) / (batches * size) - percent)).toBeLessThan(1);
    },
  );
});
