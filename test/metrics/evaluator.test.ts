import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEvaluator } from '../../src/metrics/evaluator.ts';
import type { ConfusionCount, Evaluation } from '../../src/metrics/types.ts';
import reference from '../reference/metrics.json' with { type: 'json' };

const names = (n: number) => Array.from({ length: n }, (_, c) => `class ${c}`);

const dense = (confusion: readonly ConfusionCount[], C: number): number[][] => {
  const matrix = Array.from({ length: C }, () => new Array<number>(C).fill(0));
  for (const [label, predicted, images] of confusion) matrix[label]![predicted] = images;
  return matrix;
};

function evaluate(rows: number[][], labels: number[], classCounts: number[]): Evaluation {
  const evaluator = createEvaluator({ classes: names(classCounts.length), classCounts });
  evaluator.add(Float32Array.from(rows.flat()), Int32Array.from(labels));
  return evaluator.result();
}

describe('against scikit-learn and NumPy (test/reference/metrics.py)', () => {
  test.each(reference.cases)('$name', ({ classCounts, labels, logits256, expected }) => {
    const C = classCounts.length;
    const evaluator = createEvaluator({ classes: names(C), classCounts });
    const logits = Float32Array.from(logits256, (value) => value / 256);
    for (let from = 0; from < labels.length; from += 32) {
      const rows = labels.slice(from, from + 32);
      evaluator.add(logits.subarray(from * C, (from + rows.length) * C), Int32Array.from(rows));
    }
    const got = evaluator.result();
    expect(dense(got.confusion!, C)).toEqual(expected.confusion);
    for (const key of ['count', 'many', 'medium', 'few', 'top5'] as const) expectNear(got[key], expected[key]);
    for (const key of ['loss', 'accuracy', 'balancedAccuracy', 'macroF1', 'ece'] as const) {
      expectNear(got[key], expected[key]);
    }
    got.perClass.forEach((accuracy, c) => {
      expectNear(accuracy, expected.perClass[c]!);
    });
    expect([got.worstClass.label, got.worstClass.accuracy]).toEqual(expected.worstClass);
    expect(got.worstClass.name).toBe(`class ${expected.worstClass[0]}`);
    got.reliability.forEach((bin, b) => {
      const [count, confidence, accuracy] = expected.reliability[b]!;
      expect(bin.count).toBe(count);
      expectNear(bin.confidence, confidence!);
      expectNear(bin.accuracy, accuracy!);
    });
    expect(got.reliability).toHaveLength(expected.reliability.length);
  });
});

function expectNear(got: number | null, expected: number | null) {
  if (got === null || expected === null) expect(got).toBe(expected);
  else expect(Math.abs(got - expected)).toBeLessThan(1e-12 * Math.max(1, Math.abs(expected)));
}

describe('by hand', () => {
  test('four images of three classes', () => {
    const ln = Math.log;
    // Probabilities 1/2 1/4 1/4, 1/4 1/2 1/4, 1/4 1/4 1/2, 3/5 1/5 1/5.
    const rows = [
      [ln(2), 0, 0],
      [0, ln(2), 0],
      [0, 0, ln(2)],
      [ln(3), 0, 0],
    ];
    const got = evaluate(rows, [0, 1, 1, 1], [101, 20, 19]);
    expect(got.confusion).toEqual([
      [0, 0, 1],
      [1, 0, 1],
      [1, 1, 1],
      [1, 2, 1],
    ]);
    expect(got.perClass).toEqual([1, 1 / 3, null]);
    expect([got.many, got.medium, got.few]).toEqual([1, 1 / 3, null]);
    expect(got.accuracy).toBe(1 / 2);
    expect(got.balancedAccuracy).toBeCloseTo(2 / 3, 15);
    expect(got.worstClass).toEqual({ label: 1, name: 'class 1', accuracy: 1 / 3 });
    // F1: 2·1/(1+2), 2·1/(3+1), 2·0/(0+1).
    expect(got.macroF1).toBeCloseTo((2 / 3 + 1 / 2 + 0) / 3, 15);
    expect(got.loss).toBeCloseTo((ln(2) + ln(2) + ln(4) + ln(5)) / 4, 6);
    // Three images at 0.5 with two hits, one at 0.6 without.
    expect(got.ece).toBeCloseTo((3 * (2 / 3 - 1 / 2) + 0.6) / 4, 6);
    expect(got.top5).toBeNull();
  });

  test('of equal logits the first class is predicted, and top-5 counts the same way', () => {
    const got = evaluate([[0, 0, 0, 0, 0, 0]], [5], [1, 1, 1, 1, 1, 1]);
    expect(got.confusion).toEqual([[5, 0, 1]]);
    expect(got.top5).toBe(0);
    expect(evaluate([[0, 0, 0, 0, 0, 0]], [4], [1, 1, 1, 1, 1, 1]).top5).toBe(1);
  });

  test('a confidence on a bin edge belongs to the bin below', () => {
    const bins = evaluate([[7, 7, 7]], [0], [1, 1, 1]).reliability;
    expect(bins.findIndex(({ count }) => count > 0)).toBe(4);
  });

  test('huge logits overflow nothing', () => {
    const got = evaluate(
      [
        [3e38, 0],
        [-3e38, 0],
        [1e5, 1e5 + 1],
      ],
      [0, 1, 0],
      [5, 5],
    );
    expect(got.loss).toBeCloseTo(Math.log(1 + Math.E) / 3, 12);
    expect(evaluate([[0, 1e4]], [0], [5, 5]).loss).toBe(1e4);
  });

  test('of classes that are equally bad the first is the worst', () => {
    const one = [1, 0, 0];
    expect(evaluate([one, one, one], [0, 1, 2], [5, 5, 5]).worstClass).toMatchObject({ label: 1, accuracy: 0 });
  });

  test('macro-F1 leaves out a class that is neither label nor prediction', () => {
    const rows = [
      [1, 0, 0],
      [0, 1, 0],
      [1, 0, 0],
    ];
    // 2·1/(1+2) and 2·1/(2+1); the third class occurs nowhere.
    expect(evaluate(rows, [0, 1, 1], [5, 5, 5]).macroF1).toBeCloseTo(2 / 3, 15);
  });

  test('top-5 of five classes says nothing; a confidence of 1 is in the last bin', () => {
    const got = evaluate([[100, 0, 0, 0, 0]], [0], [1, 1, 1, 1, 1]);
    expect(got.top5).toBeNull();
    expect(got.reliability.at(-1)).toEqual({ count: 1, confidence: 1, accuracy: 1 });
  });

  test('of 8,142 classes the confusion holds the pairs that occur', () => {
    const evaluator = createEvaluator({ classes: names(8142), classCounts: new Array(8142).fill(3) });
    const logits = new Float32Array(8142);
    logits[8141] = 1;
    for (const label of [8141, 7, 7, 0]) evaluator.add(logits, Int32Array.of(label));
    expect(evaluator.result().confusion).toEqual([
      [0, 8141, 1],
      [7, 8141, 2],
      [8141, 8141, 1],
    ]);
  });
});

describe('properties', () => {
  const batch = fc.integer({ min: 2, max: 8 }).chain((C) =>
    fc.record({
      C: fc.constant(C),
      rows: fc.array(fc.array(fc.integer({ min: -40, max: 40 }), { minLength: C, maxLength: C }), {
        minLength: 1,
        maxLength: 30,
      }),
      seed: fc.nat(),
    }),
  );
  const labelsOf = (rows: number[][], C: number, seed: number) =>
    rows.map((row, i) => Math.abs(row.reduce((a, b) => a + b, seed + i)) % C);

  test('batches do not matter', () => {
    fc.assert(
      fc.property(batch, fc.nat(), ({ C, rows, seed }, cut) => {
        const labels = labelsOf(rows, C, seed);
        const at = cut % rows.length;
        const split = createEvaluator({ classes: names(C), classCounts: new Array(C).fill(50) });
        for (const part of [rows.slice(0, at), rows.slice(at)].map((r, i) => ({ r, i }))) {
          const own = part.i === 0 ? labels.slice(0, at) : labels.slice(at);
          split.add(Float32Array.from(part.r.flat()), Int32Array.from(own));
        }
        expect(split.result()).toEqual(evaluate(rows, labels, new Array(C).fill(50)));
      }),
    );
  });

  test('the parts agree with each other', () => {
    fc.assert(
      fc.property(batch, ({ C, rows, seed }) => {
        const labels = labelsOf(rows, C, seed);
        const got = evaluate(rows, labels, new Array(C).fill(50));
        const confusion = got.confusion!;
        expect(confusion.reduce((sum, [, , images]) => sum + images, 0)).toBe(rows.length);
        const hits = confusion.reduce((sum, [label, predicted, images]) => sum + (label === predicted ? images : 0), 0);
        expect(hits / rows.length).toBeCloseTo(got.accuracy, 12);
        expect(got.reliability.reduce((sum, { count }) => sum + count, 0)).toBe(rows.length);
        const tested = got.perClass.filter((a) => a !== null);
        expect(got.balancedAccuracy).toBeCloseTo(tested.reduce((a, b) => a + b, 0) / tested.length, 12);
        expect(got.worstClass.accuracy).toBe(Math.min(...tested));
        expect(got.medium).toBeCloseTo(got.balancedAccuracy, 12);
        for (const share of [got.accuracy, got.balancedAccuracy, got.macroF1, got.ece, ...tested]) {
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeLessThanOrEqual(1);
        }
        expect(got.loss).toBeGreaterThanOrEqual(0);
        if (got.top5 !== null) expect(got.top5).toBeGreaterThanOrEqual(got.accuracy);
      }),
    );
  });

  test('adding a constant to every logit of an image changes nothing', () => {
    fc.assert(
      fc.property(batch, fc.integer({ min: -1000, max: 1000 }), ({ C, rows, seed }, shift) => {
        const labels = labelsOf(rows, C, seed);
        const counts = new Array(C).fill(50);
        const plain = evaluate(rows, labels, counts);
        const shifted = evaluate(
          rows.map((row) => row.map((value) => value + shift)),
          labels,
          counts,
        );
        expect(shifted.confusion).toEqual(plain.confusion);
        expect(shifted.loss).toBeCloseTo(plain.loss, 9);
        expect(shifted.top5).toBe(plain.top5);
      }),
    );
  });
});

describe('errors', () => {
  const evaluator = () => createEvaluator({ classes: ['cat', 'dog'], classCounts: [9, 3] });
  test.each([
    [
      'logits of another width',
      () => evaluator().add(new Float32Array(3), Int32Array.of(0)),
      "evaluation: expected logits [1, 2] = 2 values for 1 labels, got 3 values. The model's head must have one output per class.",
    ],
    [
      'a label too high',
      () => evaluator().add(new Float32Array(2), Int32Array.of(2)),
      'evaluation: expected labels 0 to 1, got 2 for image 0. Check that the test split and the training split use the same class list.',
    ],
    [
      'a negative label',
      () => evaluator().add(new Float32Array(4), Int32Array.of(1, -1)),
      'evaluation: expected labels 0 to 1, got -1 for image 1. Check that the test split and the training split use the same class list.',
    ],
    [
      'NaN',
      () => evaluator().add(Float32Array.of(1, 2, Number.NaN, 0), Int32Array.of(0, 1)),
      'evaluation: expected finite logits, got NaN for image 1, class 0 ("cat"). The weights have diverged: lower the learning rate or warm it up.',
    ],
    [
      'infinity',
      () => evaluator().add(Float32Array.of(1, Number.POSITIVE_INFINITY), Int32Array.of(0)),
      'evaluation: expected finite logits, got Infinity for image 0, class 1 ("dog"). The weights have diverged: lower the learning rate or warm it up.',
    ],
    [
      'nothing added',
      () => evaluator().result(),
      'evaluation: expected at least one image, got none. The split is empty; check the data options.',
    ],
    [
      'counts of another data set',
      () => createEvaluator({ classes: ['cat', 'dog'], classCounts: [1, 2, 3] }),
      'evaluation: expected a training count for each of the 2 classes, got 3 counts. Pass the class counts of the same data set.',
    ],
    [
      'overlapping groups',
      () => createEvaluator({ classes: ['cat'], classCounts: [1], groups: { manyAbove: 10, fewBelow: 20 } }),
      'groups: expected fewBelow to be at most manyAbove + 1, got manyAbove 10 and fewBelow 20. A class would be many-shot and few-shot at once; lower fewBelow.',
    ],
  ])('%s', (_, act, message) => {
    expect(act).toThrow(expect.objectContaining({ name: 'TailmixError', message }));
  });
});
