import { describe, expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { differenceTable } from '../../src/report/page/differences.ts';
import type { LoadedRun } from '../../src/report/runs.ts';
import { madeUpRun } from './in-memory-runs.ts';

const compare = (runs: LoadedRun[], options = {}) => compareRuns({ runs, leftOut: [] }, options);

describe('figures by hand', () => {
  // Three classes of ten test images. ERM: 10 6 2 and 10 8 0 right; Remix: 8 8 5 and 10 8 6.
  const { methods } = compare([
    madeUpRun('Remix', 2, [10, 8, 6]),
    madeUpRun('Remix', 1, [8, 8, 5]),
    madeUpRun('ERM', 1, [10, 6, 2]),
    madeUpRun('ERM', 2, [10, 8, 0]),
  ]);
  const [erm, remix] = methods;

  test('mean and sample standard deviation over the seeds', () => {
    expect(erm!.seeds).toEqual([1, 2]);
    expect(erm!.figures.accuracy).toEqual({ mean: 0.6, sd: 0, n: 2 });
    expect(remix!.figures.accuracy!.mean).toBeCloseTo((21 / 30 + 24 / 30) / 2, 12);
    expect(remix!.figures.accuracy!.sd).toBeCloseTo(0.1 / Math.SQRT2, 12);
    expect(erm!.figures.few!.mean).toBeCloseTo(0.1, 12);
    expect(erm!.figures.few!.sd).toBeCloseTo(0.2 / Math.SQRT2, 12);
    expect(erm!.figures.top5).toBeNull();
    expect(erm!.perClass.map((spread) => spread!.mean)).toEqual([1, 0.7, 0.1]);
    expect(erm!.worstClasses).toEqual(['tail']);
    expect(erm!.seconds.mean).toBe(11.5);
  });

  test('speed: of a run the median after the first epoch', () => {
    // Epochs 2 and 3 of seeds 1 and 2: 201, 301 and 202, 302.
    expect(erm!.imagesPerSecond!.mean).toBe((251 + 252) / 2);
  });

  test('differences are taken seed by seed', () => {
    expect(erm!.difference).toBeNull();
    const { against, seeds, wins, figures, perClass } = remix!.difference!;
    expect([against, seeds, wins]).toEqual(['ERM', [1, 2], 2]);
    // Tail: .5 − .2 and .6 − 0, head: .8 − 1 and 1 − 1.
    expect(perClass[2]!.mean).toBeCloseTo(0.45, 12);
    expect(perClass[2]!.sd).toBeCloseTo(0.3 / Math.SQRT2, 12);
    expect(perClass[0]!.mean).toBeCloseTo(-0.1, 12);
    expect(figures.accuracy!.mean).toBeCloseTo((3 / 30 + 6 / 30) / 2, 12);
  });

  test('a difference has its interval and p, corrected for all methods that are compared', () => {
    const runs = [1, 2, 3].flatMap((seed) => [
      madeUpRun('ERM', seed, [9, 5, 0]),
      madeUpRun('Mixup', seed, [9, 5, seed]),
      madeUpRun('Remix', seed, [9, 5, 2 * seed + 1]),
    ]);
    const differences = compare(runs).methods.flatMap(({ difference }) => difference ?? []);
    // scipy.stats.ttest_1samp([1, 2, 3], 0) and ([3, 5, 7], 0), of 30 images each.
    expect(differences.map(({ balanced }) => balanced.p)).toEqual(
      [0.07417990022744858, 0.04941362421328312].map((p) => expect.closeTo(p, 9)),
    );
    const [mixup, remix] = differences;
    expect(mixup!.balanced.interval!.map((end) => 30 * end)).toEqual([
      expect.closeTo(-0.48414, 4),
      expect.closeTo(4.48414, 4),
    ]);
    expect(remix!.correctedP).toBeCloseTo(2 * remix!.balanced.p!, 12);
    expect(mixup!.correctedP).toBe(remix!.correctedP);
  });

  test('confusion and reliability are summed over the seeds', () => {
    expect(erm!.confusion).toEqual([
      [0, 0, 20],
      [1, 0, 6],
      [1, 1, 14],
      [2, 0, 18],
      [2, 2, 2],
    ]);
    // All images have confidence e/(e + 2) = 0.576, the ninth bin of 15; 36 of 60 are right.
    const filled = erm!.reliability.flatMap(({ count, accuracy, confidence }, b) =>
      count > 0 ? [{ b, count, accuracy, confidence }] : [],
    );
    expect(filled).toHaveLength(1);
    expect(filled[0]).toMatchObject({ b: 8, count: 60 });
    expect(filled[0]!.accuracy).toBeCloseTo(0.6, 12);
    expect(filled[0]!.confidence).toBeCloseTo(Math.E / (Math.E + 2), 7);
  });

  test('curves: an epoch without an evaluation has no accuracy', () => {
    expect(erm!.curve.map(({ epoch, balancedAccuracy }) => [epoch, balancedAccuracy?.mean ?? null])).toEqual([
      [1, expect.closeTo(0.6, 12)],
      [2, null],
      [3, expect.closeTo(0.6, 12)],
    ]);
    expect(erm!.curve[0]!.loss).toEqual({ mean: 3, sd: 0, n: 2 });
  });

  test('without a seed in common there is no difference', () => {
    const [, other] = compare([madeUpRun('ERM', 1, [9, 5, 1]), madeUpRun('Remix', 2, [9, 5, 1])]).methods;
    expect(other!.difference).toBeNull();
  });
});

describe('what does not compare', () => {
  test('several data sets are refused', () => {
    const runs = [madeUpRun('ERM', 1, [9, 5, 1]), madeUpRun('Remix', 1, [9, 5, 1], { summary: { dataset: 'digits' } })];
    expect(() => compare(runs)).toThrow(expect.objectContaining({ code: 'REPORT_MIXED_DATA', exitCode: 2 }));
  });

  test('other classes under one name are refused too', () => {
    const runs = [
      madeUpRun('ERM', 1, [9, 5, 1]),
      madeUpRun('Remix', 1, [9, 5, 1], { summary: { classes: ['head', 'tail', 'middle'] } }),
    ];
    expect(() => compare(runs)).toThrow(expect.objectContaining({ code: 'REPORT_MIXED_DATA' }));
  });

  test('no run at all', () => {
    expect(() => compareRuns({ runs: [], leftOut: [{ path: 'runs/a', reason: 'failed: x' }] })).toThrow(
      expect.objectContaining({ code: 'REPORT_NO_RUNS', exitCode: 2 }),
    );
  });

  test('equal runs need no warning', () => {
    expect(compare([madeUpRun('ERM', 1, [9, 5, 1]), madeUpRun('Remix', 1, [9, 5, 1])]).warnings).toEqual([]);
  });

  test.each([
    [
      { subsetHash: 'bbbbbbbbbbbbbbbb' },
      'Different training subsets: aaaaaaaaaaaa (ERM); bbbbbbbbbbbb (Remix). Not all runs trained on the same images; differences below are partly those of the images.',
    ],
    [
      { classCounts: [200, 50, 6] },
      'Different long tails: 255 training images, 200 to 5 (ERM); 256 training images, 200 to 6 (Remix). These runs are not one experiment.',
    ],
    [
      { epochs: 6, lastEpoch: 6 },
      'Different lengths of training: 3 epochs (ERM); 6 epochs (Remix). More epochs are an advantage in themselves.',
    ],
    [
      { groups: { manyAbove: 60, fewBelow: 20 } },
      'Different rules for many, medium and few: many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20 (ERM); many: classes with more than 60 training images, medium: 20 to 60, few: fewer than 20 (Remix). These columns are not comparable.',
    ],
    [
      { backend: 'wasm', stepMode: 'eager' as const },
      'Different engines: native captured fp32 (ERM); wasm eager fp32 (Remix). Times are not comparable, and results may differ by rounding.',
    ],
    [
      { tailmix: '0.2.0' },
      'Different versions of tailmix: 0.1.0 (ERM); 0.2.0 (Remix). A method may have changed between them.',
    ],
    [
      { subsetSeed: 4, subsetHash: 'dddd' },
      'Different subset seeds: 0 (ERM); 4 (Remix). Results and their spread include the choice of training images.',
    ],
    [
      { seed: 5 },
      'Different seeds (ERM: 1; Remix: 5). Means are over unlike seeds; paired differences use common ones.',
    ],
  ])('warns of %o', (summary, warning) => {
    const { warnings } = compare([madeUpRun('ERM', 1, [9, 5, 1]), madeUpRun('Remix', 1, [9, 5, 1], { summary })]);
    expect(warnings).toEqual([warning]);
  });

  test('another test set', () => {
    const smaller = madeUpRun('Remix', 1, [9, 5, 1]);
    smaller.summary.last.count = 20;
    expect(compare([madeUpRun('ERM', 1, [9, 5, 1]), smaller]).warnings).toEqual([
      'Different test sets: 30 images (ERM); 20 images (Remix). Results on different test sets are not comparable.',
    ]);
  });

  test('a damaged file of a run is told', () => {
    const run = madeUpRun('ERM', 1, [9, 5, 1], { notes: ['config.yaml is missing; the settings are unknown'] });
    expect(compare([run]).warnings).toEqual(['runs/ERM-1: config.yaml is missing; the settings are unknown.']);
  });

  test('many methods do not make a warning long', () => {
    const runs = Array.from({ length: 30 }, (_, i) =>
      madeUpRun(`m${i}`, 1, [9, 5, 1], { summary: { epochs: i < 20 ? 3 : 4 + i, lastEpoch: 3 } }),
    );
    expect(compare(runs).warnings[0]).toMatchInlineSnapshot(
      `"Different lengths of training: 3 epochs (m0, m1, m2, m3, m4, and 15 more); 24 epochs (m20); 25 epochs (m21); 26 epochs (m22); 27 epochs (m23); and 6 more. More epochs are an advantage in themselves."`,
    );
  });
});

describe('runs are paired by their images', () => {
  const images = (train: string, held = 'c') => ({ train: train.repeat(64), validation: null, test: held.repeat(64) });
  const on = (method: string, seed: number, summary: object, rest: object = {}) =>
    madeUpRun(method, seed, [9, 5, seed], { summary, ...rest });

  test('equal seeds on equal images are a pair', () => {
    const [, remix] = compare([
      on('ERM', 1, { images: images('a') }),
      on('Remix', 1, { images: images('a'), subsetHash: 'the same images as other rows of another layout' }),
    ]).methods;
    expect(remix!.difference!.seeds).toEqual([1]);
  });

  test.each([
    ['training images', { images: images('b') }],
    ['test images', { images: images('a', 'd') }],
    ['class counts', { images: images('a'), classCounts: [100, 50, 5] }],
    ['an earlier version without the hash', {}],
  ])('equal seeds on other %s are none, and that is said', (_, summary) => {
    const { methods, warnings } = compare([on('ERM', 1, { images: images('a') }), on('Remix', 1, summary)]);
    expect(methods[1]!.difference).toBeNull();
    expect(warnings.length).toBeGreaterThan(0);
    const { text } = differenceTable(
      compare([
        on('ERM', 1, { images: images('a') }),
        on('Mixup', 1, { images: images('a') }),
        on('Remix', 1, summary),
      ]),
    )!;
    expect(text).toContain('not paired: runs of equal seeds have other images than those of ERM');
  });

  test('a seed that is paired and one that is not: the difference is that of the pair', () => {
    const runs = [
      on('ERM', 1, { images: images('a') }),
      on('ERM', 2, { images: images('a') }),
      on('Remix', 1, { images: images('a') }),
      on('Remix', 2, { images: images('a') }),
      on('Mixup', 1, { images: images('a'), subsetSeed: 0 }),
    ];
    const { methods } = compare(runs);
    expect(methods.map(({ difference }) => difference?.seeds)).toEqual([undefined, [1, 2], [1]]);
  });

  test('runs of one seed on different data are methods of their own, and are not averaged', () => {
    const { methods, leftOut } = compare([
      on('ERM', 1, { images: images('a') }),
      on('ERM', 1, { images: images('b') }, { path: 'runs/other', writtenAt: 9 }),
      on('ERM', 2, { images: images('a') }, { path: 'runs/two' }),
    ]);
    expect(methods.map(({ label, seeds }) => [label, seeds])).toEqual([
      ['ERM (images aaaaaaaa)', [1, 2]],
      ['ERM (images bbbbbbbb)', [1]],
    ]);
    expect(leftOut).toEqual([]);
  });

  test('choices of images by different seeds are averaged, as asked for, with a warning', () => {
    const { methods, warnings } = compare([
      on('ERM', 1, { images: images('a') }),
      on('ERM', 1, { images: images('b'), subsetSeed: 1 }, { path: 'runs/other' }),
    ]);
    expect(methods.map(({ seeds }) => seeds)).toEqual([[1, 1]]);
    expect(warnings[0]).toMatch(/^Different subset seeds: 0 \(ERM\); 1 \(ERM\)\./);
  });

  test('weights that have seen other data are told', () => {
    const otherData = [
      { by: 'resume' as const, data: { train: 'e'.repeat(64), classes: ['x'] } },
      { by: 'init' as const, data: { train: 'f'.repeat(64), classes: ['x'] } },
    ];
    expect(compare([on('ERM', 1, { otherData })]).warnings).toEqual([
      'runs/ERM-1 was resumed on other data than it had been trained on (training images eeeeeeeeeeee).',
      'runs/ERM-1 starts from weights of other classes (training images ffffffffffff).',
    ]);
  });
});
