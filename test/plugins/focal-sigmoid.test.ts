import { beforeAll, describe, expect, test } from 'vitest';
import focalSigmoid, { rareBias } from '../../plugins/focal-sigmoid/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { lossOf } from '../support/given-logits.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

beforeAll(async () => {
  await loadBackend();
});

describeLoss(focalSigmoid);

const two = { classCounts: [3, 1], labels: [0] };
const logit = (p: number): number => Math.log(p / (1 - p));

describe('by hand', () => {
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
