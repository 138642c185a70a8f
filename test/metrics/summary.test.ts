import { expect, test } from 'vitest';
import { createEvaluator } from '../../src/metrics/evaluator.ts';
import { summarizeEpochs, withoutConfusion } from '../../src/metrics/summary.ts';
import type { EpochMetrics, Evaluation } from '../../src/metrics/types.ts';

/** `right` of ten images of class 0 and `other` of two images of class 1. */
function evaluation(right: number, other: number): Evaluation {
  const evaluator = createEvaluator({ classes: ['a', 'b'], classCounts: [200, 10] });
  const row = (hit: boolean, label: number) => (hit === (label === 0) ? [1, 0] : [0, 1]);
  const images = [
    ...Array.from({ length: 10 }, (_, i) => ({ label: 0, hit: i < right })),
    ...Array.from({ length: 2 }, (_, i) => ({ label: 1, hit: i < other })),
  ];
  evaluator.add(
    Float32Array.from(images.flatMap(({ hit, label }) => row(hit, label))),
    Int32Array.from(images.map(({ label }) => label)),
  );
  return evaluator.result();
}

const epoch = (number: number, test: Evaluation | null): EpochMetrics => ({
  epoch: number,
  step: number * 10,
  learningRate: 0.1,
  train: { loss: 1, accuracy: 0.5, relabelledShare: null, penalties: {} },
  test,
  validation: null,
  seconds: 1,
  waitSeconds: 0,
  imagesPerSecond: 1280,
});

test('last, best on test and last-five median', () => {
  const epochs = [[1, 0], [9, 0], [8, 1], null, [2, 2], [3, 2], [4, 1], [5, 0]].map((pair, i) =>
    epoch(i + 1, pair && evaluation(pair[0]!, pair[1]!)),
  );
  const got = summarizeEpochs(epochs);
  expect(got.lastEpoch).toBe(8);
  expect(got.last?.perClass).toEqual([0.5, 0]);
  // Nine of twelve in epochs 2 and 3: the earlier counts, even where the later is better balanced.
  expect(got.bestOnTest).toEqual({ epoch: 2, accuracy: 9 / 12, balancedAccuracy: 0.45 });
  // Epochs 3, 5, 6, 7, 8: accuracies 9, 4, 5, 5, 5 of 12; balanced .65 .6 .65 .45 .25.
  expect(got.lastFiveMedian?.accuracy).toBeCloseTo(5 / 12, 12);
  expect(got.lastFiveMedian?.balancedAccuracy).toBeCloseTo(0.6, 12);
});

test('the last evaluated epoch is the headline of a run that stopped between evaluations', () => {
  const got = summarizeEpochs([epoch(5, evaluation(6, 1)), epoch(6, null)]);
  expect(got.lastEpoch).toBe(5);
  expect(got.lastFiveMedian).toEqual({ accuracy: 7 / 12, balancedAccuracy: 0.55 });
});

test('the epoch chosen on validation: the first of the highest balanced accuracy there, with its figures on test', () => {
  const validated = (number: number, test: Evaluation | null, validation: Evaluation | null) => ({
    ...epoch(number, test),
    validation,
  });
  const got = summarizeEpochs([
    validated(1, evaluation(1, 0), evaluation(9, 0)),
    validated(2, evaluation(3, 1), evaluation(6, 1)),
    validated(3, evaluation(8, 2), evaluation(6, 1)),
    validated(4, null, null),
  ]);
  // Balanced on validation .45 .55 .55: accuracy alone would choose the first epoch.
  expect(got.chosenOnValidation).toEqual({ epoch: 2, accuracy: 4 / 12, balancedAccuracy: 0.4 });
  expect(summarizeEpochs([epoch(1, evaluation(5, 1))])).not.toHaveProperty('chosenOnValidation');
});

test('no evaluation, no epoch', () => {
  const nothing = { last: null, bestOnTest: null, lastFiveMedian: null };
  expect(summarizeEpochs([epoch(3, null)])).toEqual({ ...nothing, lastEpoch: 3 });
  expect(summarizeEpochs([])).toEqual({ ...nothing, lastEpoch: 0 });
});

test('a run of several phases: each with its last evaluation, the headline of the last phase alone', () => {
  const inPhase = (phase: string, number: number, test: Evaluation | null) => ({ ...epoch(number, test), phase });
  const epochs = [
    inPhase('first', 1, evaluation(8, 2)),
    inPhase('first', 2, evaluation(9, 2)),
    inPhase('first', 3, null),
    inPhase('second', 4, evaluation(5, 1)),
    inPhase('second', 5, evaluation(4, 2)),
  ];
  const got = summarizeEpochs(epochs);
  expect(got.phases).toEqual([
    { name: 'first', epochs: 3, last: withoutConfusion(evaluation(9, 2)) },
    { name: 'second', epochs: 2, last: withoutConfusion(evaluation(4, 2)) },
  ]);
  expect(got.lastEpoch).toBe(5);
  expect(got.bestOnTest?.epoch).toBe(4);
  expect(got.lastFiveMedian?.accuracy).toBe(6 / 12);

  const begun = summarizeEpochs([...epochs.slice(0, 2), inPhase('second', 3, null)]);
  expect(begun).toMatchObject({ last: null, lastEpoch: 3, bestOnTest: null, lastFiveMedian: null });
  expect(begun.phases).toMatchObject([
    { name: 'first', epochs: 2 },
    { name: 'second', epochs: 1, last: null },
  ]);
});

test('a run without phases says nothing of them', () => {
  expect(summarizeEpochs([epoch(1, evaluation(5, 1))])).not.toHaveProperty('phases');
});

test('without its confusion matrix an evaluation keeps all else', () => {
  const full = evaluation(5, 1);
  expect(withoutConfusion(full)).toEqual({ ...full, confusion: null });
  expect(full.confusion).not.toBeNull();
});
