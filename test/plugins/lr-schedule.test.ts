import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import lrSchedule, { learningRateAt } from '../../plugins/lr-schedule/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { at, infoWithCounts, warningsOf } from '../support/plugins.ts';

type Options = NonNullable<Parameters<typeof lrSchedule>[0]>;

const STEPS = 4;
const info = (epochs: number) => infoWithCounts([300, 100, 20], { epochs, stepsPerEpoch: STEPS });

/** Rate of a step as the plugin's tap gives it. */
function rateAt(base: number, epochs: number, options: Options, epoch: number, stepInEpoch = 1): number {
  const { hooks } = compose([lrSchedule(options)], info(epochs));
  const step = (epoch - 1) * STEPS + stepInEpoch;
  return hooks.computeLearningRate.call(base, at(epoch, step, stepInEpoch));
}

const warmUpOfFive = [
  [1, 0.02],
  [2, 0.04],
  [3, 0.06],
  [4, 0.08],
  [5, 0.1],
  [6, 0.1],
];

describe('published recipes: epoch and rate, by hand', () => {
  test.each<{ recipe: string; base?: number; epochs: number; options: Options; rates: number[][] }>([
    {
      recipe: 'Remix, 300 epochs',
      epochs: 300,
      options: { warmup: 0, milestones: [150, 250], gamma: 0.1 },
      rates: [
        [1, 0.1],
        [150, 0.1],
        [151, 0.01],
        [250, 0.01],
        [251, 0.001],
        [300, 0.001],
      ],
    },
    {
      recipe: 'Remix with LDAM, 300 epochs',
      epochs: 300,
      options: { warmup: 0, milestones: [150, 225], gamma: 0.01 },
      rates: [
        [150, 0.1],
        [151, 0.001],
        [225, 0.001],
        [226, 0.00001],
      ],
    },
    {
      recipe: 'LDAM, 200 epochs: absolute factors',
      epochs: 200,
      options: { warmup: 5, milestones: [160, 180], gamma: [0.01, 0.0001] },
      rates: [...warmUpOfFive, [160, 0.1], [161, 0.001], [180, 0.001], [181, 0.00001], [200, 0.00001]],
    },
    {
      recipe: 'LDAM, 200 epochs: the defaults',
      epochs: 200,
      options: {},
      rates: [...warmUpOfFive, [160, 0.1], [161, 0.001], [180, 0.001], [181, 0.00001], [200, 0.00001]],
    },
    {
      recipe: 'imbalanced-DL, 300 epochs',
      epochs: 300,
      options: { milestones: [150, 250], gamma: 0.1 },
      rates: [...warmUpOfFive, [150, 0.1], [151, 0.01], [250, 0.01], [251, 0.001]],
    },
    {
      recipe: 'bag of tricks, 400 epochs: one epoch earlier, warm-up from a third',
      epochs: 400,
      options: { warmup: 5, warmupFrom: 1 / 3, milestones: [319, 359], gamma: 0.01 },
      rates: [
        [1, 0.7 / 15],
        [2, 0.06],
        [5, 0.1],
        [319, 0.1],
        [320, 0.001],
        [359, 0.001],
        [360, 0.00001],
      ],
    },
    {
      recipe: 'mixup, 200 epochs',
      epochs: 200,
      options: { warmup: 0, milestones: [100, 150], gamma: 0.1 },
      rates: [
        [100, 0.1],
        [101, 0.01],
        [150, 0.01],
        [151, 0.001],
      ],
    },
    {
      recipe: 'CutMix, 300 epochs: fractions',
      base: 0.25,
      epochs: 300,
      options: { warmup: 0, milestones: [0.5, 0.75], gamma: 0.1 },
      rates: [
        [150, 0.25],
        [151, 0.025],
        [225, 0.025],
        [226, 0.0025],
      ],
    },
    {
      recipe: 'manifold mixup, 2000 epochs',
      epochs: 2000,
      options: { warmup: 0, milestones: [500, 1000, 1500], gamma: 0.1 },
      rates: [
        [500, 0.1],
        [501, 0.01],
        [1000, 0.01],
        [1001, 0.001],
        [1500, 0.001],
        [1501, 0.0001],
      ],
    },
    {
      recipe: 'logit adjustment, 1241 epochs',
      epochs: 1241,
      options: { warmup: 20, warmupBy: 'step', milestones: [604, 926, 1128], gamma: 0.1 },
      rates: [
        [11, 0.1 * (10.25 / 20)],
        [21, 0.1],
        [604, 0.1],
        [605, 0.01],
        [926, 0.01],
        [927, 0.001],
        [1129, 0.0001],
      ],
    },
    {
      recipe: 'classifier retraining, 10 epochs: cosine to 0 by epoch',
      base: 0.2,
      epochs: 10,
      options: { warmup: 0, schedule: 'cosine' },
      // Angles of 0, 36, 90, 144 and 162 degrees.
      rates: [
        [1, 0.2],
        [3, 0.1 * (1 + 0.8090169944)],
        [6, 0.1],
        [9, 0.1 * (1 - 0.8090169944)],
        [10, 0.1 * (1 - 0.9510565163)],
      ],
    },
    {
      recipe: 'class-balanced loss, 200 epochs',
      epochs: 200,
      options: { warmup: 5, warmupBy: 'step', milestones: [160, 180], gamma: 0.01 },
      rates: [
        [1, 0.005],
        [5, 0.1 * (4.25 / 5)],
        [6, 0.1],
        [160, 0.1],
        [161, 0.001],
        [181, 0.00001],
      ],
    },
  ])('$recipe', ({ base = 0.1, epochs, options, rates }) => {
    for (const [epoch, rate] of rates)
      expect(rateAt(base, epochs, options, epoch!), `epoch ${epoch}`).toBeCloseTo(rate!, 9);
  });
});

describe('warm-up', () => {
  test('by step it climbs with every step and reaches 1 with the last', () => {
    const rates = [1, 2, 3, 4].map((step) => rateAt(1, 200, { warmup: 2, warmupBy: 'step' }, 1, step));
    expect(rates).toEqual([1 / 8, 2 / 8, 3 / 8, 4 / 8]);
    expect(rateAt(1, 200, { warmup: 2, warmupBy: 'step' }, 2, 4)).toBe(1);
  });

  test('by epoch every step of an epoch has one rate', () => {
    expect(new Set([1, 2, 3, 4].map((step) => rateAt(1, 200, { warmup: 2 }, 1, step)))).toEqual(new Set([1 / 2]));
  });

  test('a fraction keeps its share of a shortened run', () => {
    expect([1, 2, 3].map((epoch) => rateAt(1, 20, { warmup: 0.1 }, epoch))).toEqual([1 / 2, 1, 1]);
  });
});

describe('cosine', () => {
  test('starts after the warm-up, falls to the minimum, by step', () => {
    const options: Options = { schedule: 'cosine', cosineBy: 'step', warmup: 1, minimum: 0.1 };
    expect(rateAt(0.5, 3, options, 2, 1)).toBe(0.5);
    expect(rateAt(0.5, 3, options, 3, 1)).toBeCloseTo(0.3, 12);
    const byEpoch = [1, 2, 3, 4].map((step) => rateAt(0.5, 3, { ...options, cosineBy: 'epoch' }, 3, step));
    expect(byEpoch).toEqual(Array.from({ length: 4 }, () => rateAt(0.5, 3, options, 3, 1)));
    // One of eight steps is left: 157.5 degrees.
    expect(rateAt(0.5, 3, options, 3, 4)).toBeCloseTo(0.1 + 0.2 * (1 - 0.9238795325), 9);
  });
});

test('constant stays', () => {
  expect([1, 100, 200].map((epoch) => rateAt(0.1, 200, { schedule: 'constant', warmup: 0 }, epoch))).toEqual([
    0.1, 0.1, 0.1,
  ]);
});

test('is positive, never above the base, and never rises after the warm-up', () => {
  const runs = fc.record({
    epochs: fc.integer({ min: 1, max: 60 }),
    schedule: fc.constantFrom('multistep' as const, 'cosine' as const, 'constant' as const),
    warmup: fc.integer({ min: 0, max: 10 }),
    milestones: fc.constantFrom<number[][]>([0.5, 0.75], [3, 9], []),
  });
  fc.assert(
    fc.property(runs, ({ epochs, ...options }) => {
      const { options: schedule } = lrSchedule(options);
      let before = Infinity;
      for (let epoch = 1; epoch <= epochs; epoch++) {
        const moment = { epoch, stepInEpoch: 1, epochs, stepsPerEpoch: STEPS };
        const rate = learningRateAt(0.1, moment, schedule as Parameters<typeof learningRateAt>[2]);
        expect(rate).toBeGreaterThan(0);
        expect(rate).toBeLessThanOrEqual(0.1 + 1e-15);
        if (epoch > options.warmup) {
          expect(rate).toBeLessThanOrEqual(before);
          before = rate;
        }
      }
    }),
  );
});

describe('messages', () => {
  const composed = (options: Options, epochs = 200) => compose([lrSchedule(options)], info(epochs));

  test('milestones out of order', () => {
    expect(() => composed({ milestones: [180, 160] })).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: lr-schedule.milestones: expected epochs in rising order, got 180, 160 of 200. Sort them.]`,
    );
    expect(() => composed({ milestones: [100, 180, 160] })).toThrow('got 100, 180, 160 of 200');
    expect(() => composed({ milestones: [100] })).not.toThrow();
    expect(() => composed({ milestones: [0.8, 0.9] }, 2)).not.toThrow();
  });

  test('as many factors as milestones', () => {
    expect(() => composed({ milestones: [160, 180], gamma: [0.1] })).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: lr-schedule.gamma: expected 2 factors, one per milestone; got 1. Give as many, or one number to multiply by at each milestone.]`,
    );
  });

  test('what has no effect', () => {
    expect([
      ...warningsOf([lrSchedule({ milestones: [100, 200, 250] })], info(200)),
      ...warningsOf([lrSchedule({ warmup: 5, schedule: 'constant' })], info(3)),
    ]).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [lr-schedule] milestones 200, 250 are not before the last epoch, 200: never reached.",
        "NOT_INTENDED [lr-schedule] warmup 5 takes the whole run of 3 epochs.",
      ]
    `);
    expect(warningsOf([lrSchedule()], info(200))).toEqual([]);
    expect(warningsOf([lrSchedule({ warmup: 3, schedule: 'constant' })], info(3))).toHaveLength(1);
    expect(warningsOf([lrSchedule({ warmup: 2, schedule: 'constant' })], info(3))).toEqual([]);
    expect(warningsOf([lrSchedule({ warmup: 0, schedule: 'constant' })], info(3))).toEqual([]);
  });
});
