import { describe, expect, test } from 'vitest';
import { createEvaluator } from '../../src/metrics/evaluator.ts';
import { furtherFigures, furtherNames, furtherSections, type LogitPrior } from '../../src/metrics/further.ts';
import { defaultGroups } from '../../src/metrics/groups.ts';
import { createLogitKeeper, keptTable } from '../../src/metrics/logits.ts';
import { areaUnderRiskCoverage, separation } from '../../src/metrics/selective.ts';
import { shiftedPriors, shiftNames } from '../../src/metrics/shift.ts';
import { geometricMean, harmonicMean, wilsonInterval, worstClasses } from '../../src/metrics/tail.ts';
import { randomStream } from '../../src/random.ts';
import reference from '../reference/further-metrics.json' with { type: 'json' };

/** Figures of all images, added 32 at a time. */
function figuresOf(logits: Float32Array, labels: readonly number[], classCounts: readonly number[], prior: LogitPrior) {
  const C = classCounts.length;
  const evaluator = createEvaluator({ classes: classCounts.map((_, c) => `class ${c}`), classCounts });
  const keeper = createLogitKeeper(labels.length, C);
  for (let from = 0; from < labels.length; from += 32) {
    const own = Int32Array.from(labels.slice(from, from + 32));
    const rows = logits.subarray(from * C, (from + own.length) * C);
    evaluator.add(rows, own);
    keeper.add(
      rows,
      own,
      own.map((_, i) => from + i),
    );
  }
  const table = keptTable(keeper.result());
  return furtherFigures(evaluator.result(), table, { classCounts, groups: defaultGroups, prior });
}

describe('against scikit-learn, SciPy and NumPy (test/reference/further-metrics.py)', () => {
  test.each(reference.cases)('$name', ({ classCounts, labels, logits256, expected, known }) => {
    const logits = Float32Array.from(logits256, (value) => value / 256);
    for (const prior of ['training', 'uniform'] as const) {
      const got = figuresOf(logits, labels, classCounts, prior);
      const all: Record<string, number | undefined> = { ...expected, ...known[prior] };
      for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
      expect(Object.keys(got).sort()).toEqual(Object.keys(all).sort());
      for (const [name, value] of Object.entries(all)) expect(got[name], name).toBeCloseTo(value!, 11);
    }
  });

  test.each(reference.wilson)('Wilson, $hits of $images', ({ hits, images, low, high }) => {
    const [from, to] = wilsonInterval(hits / images, images);
    expect(from).toBeCloseTo(low, 11);
    expect(to).toBeCloseTo(high, 11);
  });

  test.each(reference.separations)('AUROC $auroc, FPR95 $fpr95, many scores equal', (one) => {
    const scores = (values: readonly number[]) => Float64Array.from(values, (value) => value / one.steps);
    const got = separation(scores(one.inside), scores(one.outside));
    expect(got.auroc).toBeCloseTo(one.auroc, 12);
    expect(got.fpr95).toBeCloseTo(one.fpr95, 12);
  });
});

test('each figure has one place, and every name that is computed is in it', () => {
  expect(new Set(furtherNames).size).toBe(furtherNames.length);
  const [first] = reference.cases;
  const got = figuresOf(
    Float32Array.from(first!.logits256, (value) => value / 256),
    first!.labels,
    first!.classCounts,
    'training',
  );
  expect(Object.keys(got).sort()).toEqual([...furtherNames].sort());
  expect(furtherSections.shift.map(({ name }) => name)).toEqual([...shiftNames, 'shiftMean']);
});

test('shares of a shifted test set: the ends are as far apart as the name says, whatever the order of the classes', () => {
  const priors = shiftedPriors([5, 500, 50, 50]);
  const forward = priors.get('forward50')!;
  expect(forward[1]! / forward[0]!).toBeCloseTo(50, 10);
  expect(forward[2]! / forward[3]!).toBeCloseTo(50 ** (1 / 3), 10);
  expect([...priors.get('backward50')!]).toEqual(
    [forward[1], forward[0], forward[3], forward[2]].map((x) => expect.closeTo(x!, 12)),
  );
  for (const shares of priors.values()) expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  expect([...shiftedPriors([7]).values()].every(([share]) => share === 1)).toBe(true);
});

test('means of classes by hand; a class without an image does not count', () => {
  expect(geometricMean([0.5, null, 0.125])).toBeCloseTo(0.25, 12);
  expect(harmonicMean([0.5, null, 0.25])).toBeCloseTo(1 / 3, 12);
  expect(geometricMean([0.5, 0])).toBe(0);
  expect(harmonicMean([0.5, 0])).toBe(0);
  expect(worstClasses([0.9, null, 0.1, 0.3], 2)).toBeCloseTo(0.2, 12);
  expect(worstClasses([0.9], 3)).toBe(0.9);
});

test('of images of equal confidence the order does not matter to AURC', () => {
  const confidence = Float64Array.of(0.9, 0.5, 0.5, 0.5);
  const one = areaUnderRiskCoverage(confidence, Uint8Array.of(1, 0, 1, 1));
  expect(one).toBeCloseTo((0 + 1 / 3 / 2 + 2 / 3 / 3 + 1 / 4) / 4, 12);
  expect(areaUnderRiskCoverage(confidence, Uint8Array.of(1, 1, 1, 0))).toBe(one);
});

test('8,142 classes and 1,000 images keep their order of magnitude: no array of images times classes beside the logits', () => {
  const [C, N] = [8142, 1000];
  const random = randomStream(1, 'test');
  const logits = Float32Array.from({ length: N * C }, () => random.uniform() * 8);
  const labels = Array.from({ length: N }, (_, i) => (i * 7919) % C);
  const counts = Array.from({ length: C }, (_, c) => 1 + ((c * 31) % 400));
  const got = figuresOf(logits, labels, counts, 'training');
  expect(Object.values(got).every(Number.isFinite)).toBe(true);
  expect(got.brier).toBeGreaterThan(0.9);
}, 60_000);
