import { expect, test } from 'vitest';
import { type Classified, confusionsOf, mistakesOf } from '../../src/trained/mistakes.ts';

const one = (
  row: number,
  label: number,
  predicted: number,
  probability: number,
  labelProbability = label === predicted ? probability : 1 - probability,
): Classified => ({ row, label, predicted, probability, labelProbability });

/** Mean probability of their label: class 0 (0.9 + 0.7 + 0.2) / 3 = 0.6, class 1 (0.8 + 0.4 + 0.3) / 3 = 0.5. */
const classified = [
  one(0, 0, 0, 0.9),
  one(1, 0, 0, 0.7),
  one(2, 0, 1, 0.8),
  one(3, 1, 1, 0.8),
  one(4, 1, 0, 0.6),
  one(5, 1, 0, 0.599, 0.3),
  one(6, 2, 3, 0.9, 0.05),
];

test('the surest mistakes come first; a label is likely wrong from the mean confidence of the predicted class on', () => {
  const found = mistakesOf(classified, 4);
  expect(found.map(({ row }) => row)).toEqual([6, 2, 5, 4]);
  // Of class 3 there is no image to compare with.
  expect(found.map(({ likelyMislabelled }) => likelyMislabelled)).toEqual([false, true, false, true]);
});

test('mistakes by kind, the most frequent first', () => {
  const kinds = confusionsOf(mistakesOf(classified, 4));
  expect(kinds.map(({ label, predicted, mistakes }) => [label, predicted, mistakes.map(({ row }) => row)])).toEqual([
    [1, 0, [5, 4]],
    [2, 3, [6]],
    [0, 1, [2]],
  ]);
});
