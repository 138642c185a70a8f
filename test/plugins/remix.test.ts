import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import mixup from '../../plugins/mixup/index.ts';
import remix, { remixLambda } from '../../plugins/remix/index.ts';
import { imageWeights } from '../../plugins/resample/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { createBatch, createTargets } from '../../src/batch.ts';
import { compose } from '../../src/compose.ts';
import { longTailCounts } from '../../src/data/profile.ts';
import { Stage } from '../../src/hooks.ts';
import type { Model } from '../../src/models/types.ts';
import { definePlugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { tf } from '../../src/tf.ts';
import sixSamples from '../reference/remix-loss.json' with { type: 'json' };
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

describe('the loss of six samples (test/reference/remix-loss.py)', () => {
  const { classCounts, labels, pair, lambda } = sixSamples;
  const mixer = definePlugin({
    name: 'fixed-mixer',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply({ hooks }) {
      hooks.onBatch.tap({ name: 'fixed-mixer', stage: Stage.Mix }, (batch) => ({
        ...batch,
        pair: Int32Array.from(pair),
        lambda: batch.lambda.map(() => lambda),
      }));
    },
  });
  /** Its logits are its weights. */
  const model: Model = {
    name: 'given-logits',
    stages: ['input'],
    featureSize: 1,
    weights: [
      { name: 'logits', shape: [6, 3], kind: 'kernel', initial: () => Float32Array.from(sixSamples.logits.flat()) },
    ],
    forward: (weights, images, pass) => ({
      logits: weights.logits as tf.Tensor2D,
      features: pass.atStage('input', images).reshape([6, 1]) as tf.Tensor2D,
      statistics: {},
    }),
  };

  beforeAll(async () => {
    await loadBackend();
  });

  function lossOfSix(reduction: 'mean' | 'weighted-mean', classWeights: readonly number[]) {
    const composition = compose([mixer(), remix()], infoWithCounts(classCounts));
    const { batch, targets } = mixBatch(composition, Int32Array.from(labels), at(1));
    const program = createStepProgram(model, composition, {
      seed: 0,
      imageShape: [1, 1, 1],
      mean: [0],
      std: [1],
      batchSizes: [6],
      evaluateBatchSize: 6,
      optimizer: createOptimizer({ name: 'sgd', learningRate: 0, momentum: 0, nesterov: false, weightDecay: 0 }),
    });
    const engine = createEagerEngine(program);
    const feeds = trainFeeds({
      batch,
      targets,
      images: new Uint8Array(6),
      imageShape: [1, 1, 1],
      classWeights: Float64Array.from(classWeights),
      learningRate: 0,
      reduction,
    });
    const { loss } = engine.run(signatureFor(program, 'train', batch.variants, 6), feeds);
    engine.dispose();
    return { loss: loss![0]!, targets };
  }

  /** What two public implementations compute (methods.md D1): losses averaged first, one factor for the batch. */
  function batchAveraged(labelWeight: Float32Array, pairLabels: Int32Array): number {
    const mean = (values: number[]): number => values.reduce((a, b) => a + b) / values.length;
    const crossEntropies = (of: ArrayLike<number>): number[] =>
      sixSamples.logits.map((row, i) => Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[of[i]!]!);
    const factor = mean(Array.from(labelWeight));
    return factor * mean(crossEntropies(labels)) + (1 - factor) * mean(crossEntropies(pairLabels));
  }

  test('each sample keeps its own label weight', () => {
    const { loss, targets } = lossOfSix('mean', [1, 1, 1]);
    expect(Array.from(targets.labelWeight)).toEqual(sixSamples.labelWeight.map(Math.fround));
    expect(loss).toBeCloseTo(sixSamples.perSample, 5);
  });

  test('the batch-averaged form is another loss', () => {
    const { loss, targets } = lossOfSix('mean', [1, 1, 1]);
    const wrong = batchAveraged(targets.labelWeight, targets.pairLabels);
    expect(wrong).toBeCloseTo(sixSamples.batchAveraged, 6);
    expect(Math.abs(loss - wrong)).toBeGreaterThan(0.08);
  });

  test('each label keeps its own class weight', () => {
    expect(lossOfSix('weighted-mean', sixSamples.classWeights).loss).toBeCloseTo(sixSamples.weightedMean, 5);
    expect(lossOfSix('mean', sixSamples.classWeights).loss).toBeCloseTo(sixSamples.plainMean, 5);
  });
});

describe('share of relabelled samples (methods.md 1.5)', () => {
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

test('labels of extra draws are counted by their class too', () => {
  const composition = compose([mixup(), remix({ tau: 1 })], infoWithCounts([300, 100, 20]));
  const rows = {
    size: 1,
    indices: Int32Array.of(0, 1),
    labels: Int32Array.of(0, 2),
    draws: { other: { start: 1, size: 1 } },
  };
  const batch = { ...createBatch(rows, composition.variants), pair: Int32Array.of(1), lambda: Float32Array.of(0.9) };
  expect(Array.from(composition.hooks.computeTargets.call(createTargets(batch), at(1)).labelWeight)).toEqual([0]);
});
