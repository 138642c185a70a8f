import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import remix from '../../plugins/remix/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose.ts';
import { Stage } from '../../src/hooks.ts';
import type { Model } from '../../src/models/types.ts';
import { definePlugin } from '../../src/plugin.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { tf } from '../../src/tf.ts';
import sixSamples from '../reference/remix-loss.json' with { type: 'json' };
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';

describe('the loss of six samples (test/reference/remix-loss.py)', () => {
  const { classCounts, labels, pair, lambda } = sixSamples;
  const mixer = definePlugin({
    name: 'fixed-mixer',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply({ hooks }) {
      hooks.onBatch.tap({ name: 'fixed-mixer', stage: Stage.Mix }, (batch) => ({
        ...batch,
        pair: Int32Array.from(pair),
        lambda: batch.lambda.map(() => lambda),
      }));
    },
  });
  /** Its logits are its weights. */
  const model: Model = {
    name: 'given-logits',
    stages: ['input'],
    featureSize: 1,
    weights: [
      { name: 'logits', shape: [6, 3], kind: 'kernel', initial: () => Float32Array.from(sixSamples.logits.flat()) },
    ],
    forward: (weights, images, pass) => ({
      logits: weights.logits as tf.Tensor2D,
      features: pass.atStage('input', images).reshape([6, 1]) as tf.Tensor2D,
      statistics: {},
    }),
  };

  beforeAll(async () => {
    await loadBackend();
  });

  function lossOfSix(reduction: 'mean' | 'weighted-mean', classWeights: readonly number[]) {
    const composition = compose([mixer(), remix()], infoWithCounts(classCounts));
    const { batch, targets } = mixBatch(composition, Int32Array.from(labels), at(1));
    const program = createStepProgram(model, composition, {
      seed: 0,
      imageShape: [1, 1, 1],
      mean: [0],
      std: [1],
      batchSizes: [6],
      evaluateBatchSize: 6,
      optimizer: createOptimizer({ name: 'sgd', learningRate: 0, momentum: 0, nesterov: false, weightDecay: 0 }),
    });
    const engine = createEagerEngine(program);
    const feeds = trainFeeds({
      batch,
      targets,
      images: new Uint8Array(6),
      imageShape: [1, 1, 1],
      classWeights: Float64Array.from(classWeights),
      learningRate: 0,
      reduction,
    });
    const { loss } = engine.run(signatureFor(program, 'train', batch.variants, 6), feeds);
    engine.dispose();
    return { loss: loss![0]!, targets };
  }

  /** What two public implementations compute (methods.md D1): losses averaged first, one factor for the batch. */
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
