import { beforeAll, describe, expect, test } from 'vitest';
import remix from '../../plugins/remix/index.ts';
import { type Backend, loadBackend } from '../../src/backend/load.ts';
import sixSamples from '../reference/remix-loss.json' with { type: 'json' };
import { describeNative } from '../step/captured-support.ts';
import { lossOf } from '../support/given-logits.ts';

describe('the loss of six samples (test/reference/remix-loss.py)', () => {
  const { classCounts, labels, pair, lambda } = sixSamples;
  beforeAll(async () => {
    await loadBackend();
  });

  const lossOfSix = (reduction: 'mean' | 'weighted-mean', classWeights: readonly number[]) =>
    lossOf([remix()], {
      classCounts,
      logits: sixSamples.logits.flat(),
      labels,
      mixed: { pair, labelWeight: labels.map(() => lambda) },
      classWeights,
      reduction,
    });

  /** What two public implementations compute: losses averaged first, one factor for the batch. */
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

describe('55 images against 50 with kappa 1.1', () => {
  const samples = {
    classCounts: [55, 50],
    logits: [1, -1, 0.5, 2],
    labels: [0, 1],
    mixed: { pair: [1, 0], labelWeight: [0.375, 0.625] },
  };
  const expectRelabelled = (backend?: Backend): void => {
    const { loss, targets } = lossOf([remix({ kappa: 1.1 })], samples, backend);
    expect(Array.from(targets.labelWeight)).toEqual([0, 1]);
    // Both rows are scored as class 1: (log(1 + e²) + log(1 + e^−1.5)) / 2.
    expect(loss).toBeCloseTo((Math.log1p(Math.exp(2)) + Math.log1p(Math.exp(-1.5))) / 2, 5);
  };

  test('eager', async () => {
    await loadBackend();
    expectRelabelled();
  });

  describeNative('captured', (use) => {
    test('the same', () => {
      expectRelabelled(use());
    });
  });
});
