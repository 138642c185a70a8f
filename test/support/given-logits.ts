import fc from 'fast-check';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Backend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Model, ModelHead } from '../../src/models/types.ts';
import { definePlugin, Order, type Plugin } from '../../src/plugin.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Targets } from '../../src/step/types.ts';
import { at, infoWithCounts, mixBatch } from './plugins.ts';

/** Given samples: their logits (or cosines), labels, and how they are mixed. */
export interface GivenSamples {
  classCounts: readonly number[];
  /** `[B, C]`, row by row. */
  logits: readonly number[];
  labels: readonly number[];
  /** Partners and weight of each own label; nothing mixes without it. */
  mixed?: { pair: readonly number[]; labelWeight: readonly number[] };
  classWeights?: readonly number[];
  reduction?: 'mean' | 'weighted-mean';
  head?: ModelHead;
  /** Put in the place of declared inputs. */
  inputs?: Record<string, Float32Array>;
}

/** A model whose logits are its weights. */
const givenLogits = (logits: readonly number[], [size, classes]: readonly [number, number]): Model => ({
  name: 'given-logits',
  stages: ['input'],
  featureSize: 1,
  weights: [{ name: 'logits', shape: [size, classes], kind: 'kernel', initial: () => Float32Array.from(logits) }],
  forward: (weights, images, pass) => ({
    logits: weights.logits!,
    features: pass.atStage('input', images).reshape([size, 1]),
    statistics: {},
  }),
});

const fixedMixer = (pair: readonly number[], labelWeight: readonly number[]): Plugin =>
  definePlugin({
    name: 'fixed-mixer',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply({ hooks }) {
      hooks.onBatch.tap({ name: 'fixed-mixer', stage: Order.Mix }, (batch) => ({
        ...batch,
        pair: Int32Array.from(pair),
        lambda: Float32Array.from(labelWeight),
      }));
    },
  })();

/**
 * One training step of the whole program on given logits. The gradient is what plain SGD at rate 1 takes off them.
 *
 * @param captured - runs the captured engine on this backend, else the eager one
 */
export function lossOf(
  plugins: readonly Plugin[],
  samples: GivenSamples,
  captured?: Backend,
): { loss: number; gradient: number[]; targets: Targets } {
  const { classCounts, logits, labels, mixed, reduction = 'mean', head, inputs = {} } = samples;
  const [size, classes] = [labels.length, classCounts.length];
  const composition = compose(
    [...(mixed ? [fixedMixer(mixed.pair, mixed.labelWeight)] : []), ...plugins],
    infoWithCounts(classCounts, { head: head ?? null, featureSize: 1 }),
  );
  const program = createStepProgram(givenLogits(logits, [size, classes]), composition, {
    seed: 0,
    imageShape: [1, 1, 1],
    mean: [0],
    std: [1],
    batchSizes: [size],
    evaluateBatchSize: size,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 1, momentum: 0, nesterov: false, weightDecay: 0 }),
  });
  const { batch, targets } = mixBatch(composition, Int32Array.from(labels), at(1));
  const feeds = trainFeeds({
    batch: { ...batch, inputs: { ...batch.inputs, ...inputs } },
    targets,
    images: new Uint8Array(size),
    imageShape: [1, 1, 1],
    classWeights: Float64Array.from(samples.classWeights ?? classCounts.map(() => 1)),
    learningRate: 1,
    reduction,
  });
  const engine = captured ? createCapturedEngine(program, captured) : createEagerEngine(program);
  const { loss } = engine.run(signatureFor(program, 'train', batch.variants, size), feeds);
  const after = engine.read(['logits']).logits!;
  engine.dispose();
  return { loss: loss![0]!, gradient: logits.map((z, i) => z - after[i]!), targets };
}

/** Logits of two samples of three classes. */
export const sixLogits = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 6, maxLength: 6 });

/** Images of three classes. */
export const threeCounts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 3, maxLength: 3 });

/** Two samples of three classes. */
export const threeClasses = (logits: readonly number[], classCounts: readonly number[] = [5, 3, 2]): GivenSamples => ({
  classCounts,
  logits,
  labels: [0, 2],
});

/** Expects two lists of plugins to give the same loss and gradient. */
export function expectSameLoss(a: readonly Plugin[], b: readonly Plugin[], samples: GivenSamples): void {
  const [x, y] = [lossOf(a, samples), lossOf(b, samples)];
  expect(Math.abs(x.loss - y.loss)).toBeLessThan(1e-5 * (1 + y.loss));
  x.gradient.forEach((slope, i) => {
    expect(slope).toBeCloseTo(y.gradient[i]!, 5);
  });
}
