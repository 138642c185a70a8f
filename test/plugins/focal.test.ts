import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import crossEntropy from '../../plugins/cross-entropy/index.ts';
import focal from '../../plugins/focal/index.ts';
import focalSigmoid, { rareBias } from '../../plugins/focal-sigmoid/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { lossOf } from '../support/given-logits.ts';

beforeAll(async () => {
  await loadBackend();
});

const two = { classCounts: [3, 1], labels: [0] };
const logit = (p: number): number => Math.log(p / (1 - p));

describe('focal, by hand', () => {
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

describe('focal-sigmoid, by hand', () => {
  test('p 0.25 for the label, 0.75 for the other class, gamma 2, no bias', () => {
    const logits = [logit(0.25), logit(0.75)];
    const { loss } = lossOf([focalSigmoid({ initialBias: 'none' })], { ...two, logits });
    expect(loss).toBeCloseTo(-(0.75 ** 2) * Math.log(0.25) - 0.75 ** 2 * Math.log(1 - 0.75), 6);
  });

  test('gamma 0 is binary cross-entropy over both', () => {
    const logits = [logit(0.25), logit(0.75)];
    const { loss } = lossOf([focalSigmoid({ gamma: 0, initialBias: 'none' })], { ...two, logits });
    expect(loss).toBeCloseTo(-Math.log(0.25) - Math.log(0.25), 6);
  });

  test('initialBias rare: logits of 0 are probabilities of 1/C', () => {
    expect(rareBias(10)).toBe(-Math.log(9));
    expect(Math.abs(rareBias(1))).toBe(0);
    const samples = { classCounts: [4, 3, 2, 1], labels: [2], logits: [0, 0, 0, 0] };
    const { loss } = lossOf([focalSigmoid()], samples);
    expect(loss).toBeCloseTo(-(0.75 ** 2) * Math.log(0.25) - 3 * 0.25 ** 2 * Math.log(0.75), 6);
  });
});

describe('properties', () => {
  const cell = fc.double({ min: -8, max: 8, noNaN: true });
  const logits = fc.array(cell, { minLength: 6, maxLength: 6 });
  const samples = (values: number[]) => ({ classCounts: [5, 3, 2], labels: [0, 2], logits: values });

  test('focal with gamma 0 is cross-entropy; more gamma is never more loss', () => {
    fc.assert(
      fc.property(logits, fc.double({ min: 0, max: 5, noNaN: true }), (values, gamma) => {
        const plain = lossOf([crossEntropy()], samples(values));
        const none = lossOf([focal({ gamma: 0 })], samples(values));
        expect(none.loss).toBeCloseTo(plain.loss, 5);
        none.gradient.forEach((slope, i) => {
          expect(slope).toBeCloseTo(plain.gradient[i]!, 5);
        });
        expect(lossOf([focal({ gamma })], samples(values)).loss).toBeLessThanOrEqual(plain.loss * (1 + 1e-6));
      }),
      { numRuns: 15 },
    );
  });

  test('cross-entropy is what a run without a loss has', () => {
    fc.assert(
      fc.property(logits, (values) => {
        expect(lossOf([crossEntropy()], samples(values))).toEqual(lossOf([], samples(values)));
      }),
      { numRuns: 10 },
    );
  });
});
