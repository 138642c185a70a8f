import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import crossEntropy from '../../plugins/cross-entropy/index.ts';
import focal from '../../plugins/focal/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { type GivenSamples, lossOf, sixLogits, threeClasses } from '../support/given-logits.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => {
  await loadBackend();
});

describeLoss(focal);

const two = { classCounts: [3, 1], labels: [0] };
const logit = (p: number): number => Math.log(p / (1 - p));

describe('by hand', () => {
  // Logits (log p, log(1 − p)) give the label probability p.
  test.each([
    { p: 0.9, gamma: 2, expected: -(0.1 ** 2) * Math.log(0.9) },
    { p: 0.25, gamma: 2, expected: -(0.75 ** 2) * Math.log(0.25) },
    { p: 0.25, gamma: 1, expected: -0.75 * Math.log(0.25) },
    { p: 0.25, gamma: 0, expected: -Math.log(0.25) },
  ])('p $p, gamma $gamma: $expected', ({ p, gamma, expected }) => {
    expect(lossOf([focal({ gamma })], { ...two, logits: [logit(p), 0] }).loss).toBeCloseTo(expected, 6);
  });

  test('class weights stand outside the modulating factor', () => {
    const weighted = lossOf([focal()], { ...two, logits: [logit(0.25), 0], classWeights: [3, 1] });
    expect(weighted.loss).toBeCloseTo(-3 * 0.75 ** 2 * Math.log(0.25), 6);
  });
});

test('focal with gamma 0 is cross-entropy; more gamma is never more loss', () => {
  fc.assert(
    fc.property(sixLogits, fc.double({ min: 0, max: 5, noNaN: true }), (values, gamma) => {
      const plain = lossOf([crossEntropy()], threeClasses(values));
      const none = lossOf([focal({ gamma: 0 })], threeClasses(values));
      expect(none.loss).toBeCloseTo(plain.loss, 5);
      none.gradient.forEach((slope, i) => {
        expect(slope).toBeCloseTo(plain.gradient[i]!, 5);
      });
      expect(lossOf([focal({ gamma })], threeClasses(values)).loss).toBeLessThanOrEqual(plain.loss * (1 + 1e-6));
    }),
    { numRuns: 15 },
  );
});

test.each([0, 0.5, 1, 2])('gamma %d: a label of probability 1 costs nothing and pulls at nothing', (gamma) => {
  const samples: GivenSamples = { classCounts: [3, 2], logits: [1e4, -1e4], labels: [0] };
  const { loss, gradient } = lossOf([focal({ gamma })], samples);
  expect(loss).toBe(0);
  expect(gradient.every((slope) => Math.abs(slope) === 0)).toBe(true);
});
