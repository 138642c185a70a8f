import { expect } from 'vitest';
import { z } from 'zod';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import type { TailmixError } from '../../src/errors.ts';
import { definePlugin, type Plugin, type PluginContext, type PluginDefinition } from '../../src/plugin.ts';
import type { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';

/** A number on the host that a `build…` function wrongly closes over. */
export interface Value {
  now: number;
}

/** Where the number comes from. */
export type Source = (context: PluginContext, value: Value) => ReturnType<PluginDefinition['apply']>;

/** What it is used in. */
export type Use = (hooks: PluginContext['hooks'], value: Value) => void;

export const NAME = 'my-plugin';

/** Steps of the run in progress; null before `onTrainBegin`. */
let steps: number | null = null;

const counter = definePlugin({
  name: 'counter',
  options: z.strictObject({}),
  apply({ hooks }) {
    steps = null;
    hooks.onTrainBegin.tap('counter', () => {
      steps = 0;
    });
    hooks.onBatchEnd.tap('counter', ({ step }) => {
      steps = step;
    });
  },
});

/** Two epochs of batches of 8, 8, 8, 8 and 3 images, mixed in pixels or in features. */
export async function train(
  step: 'eager' | 'captured' | 'auto',
  from: Source,
  use: Use,
  epochs = 2,
  others: readonly Plugin[] = [],
) {
  const plugin = definePlugin({
    name: NAME,
    options: z.strictObject({}),
    apply(context) {
      const value = { now: 1 };
      use(context.hooks, value);
      return from(context, value);
    },
  });
  const { summary, epochs: metrics } = await createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins: [manifoldMixup(), plugin(), ...others, counter()],
    train: { epochs, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.01 } },
  }).run();
  return {
    mode: summary.stepMode,
    reason: summary.stepModeReason,
    losses: metrics.map((epoch) => [epoch.train.loss, epoch.test?.loss]),
  };
}

/** What a captured run fails with, and after how many steps. */
export const failure = (from: Source, use: Use, epochs?: number) =>
  train('captured', from, use, epochs).then(
    ({ mode }) => expect.fail(`trained, ${mode}`),
    ({ code, plugin, message }: TailmixError) => ({ code, plugin, message, steps }),
  );

export const scaleLogits: Use = ({ buildLoss }, value) =>
  buildLoss.tap(NAME, (loss) => ({
    ...loss,
    adjustLogits: (logits, labels, pass) => loss.adjustLogits(logits, labels, pass).mul(value.now),
  }));

export const scalePrediction: Use = ({ buildPrediction }, value) =>
  buildPrediction.tap(
    NAME,
    (predict) =>
      (...all) =>
        predict(...all).mul(value.now) as tf.Tensor2D,
  );

export const epochSeen: Source = ({ hooks }, value) => {
  hooks.computeClassWeights.tap(NAME, (weights, { epoch }) => {
    value.now = epoch;
    return weights;
  });
};

export const scaleMixedInFeatures: Use = ({ buildLoss }, value) =>
  buildLoss.tap(NAME, (loss) => ({
    ...loss,
    termLoss: (logits, labels, pass) => {
      const term = loss.termLoss(logits, labels, pass);
      return (pass.variants.mix === 'input' ? term : term.mul(value.now)) as tf.Tensor1D;
    },
  }));

/** A refusal of a host value after so many steps; null before `onTrainBegin`. */
export const varies = (after: number | null) => ({ code: 'CAPTURE_VARIES', plugin: NAME, steps: after });
