import { describe, expect, test } from 'vitest';
import type { Plugin } from '../../src/plugin.ts';
import type { Loss } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { describeNative } from '../step/captured-support.ts';
import { outcomeOf, tapping } from '../support/faulty.ts';

type Weights = Parameters<Loss['penalties'][string]>[1];

const norm = (weights: Weights): tf.Tensor => weights['classifier/bias']!.square().sum().sqrt();

/** The norm of biases that are 0: finite, and its derivative is 0 / 0. */
const normAtZero = () =>
  tapping('buildLoss', (loss: Loss) => ({
    ...loss,
    penalties: { ...loss.penalties, faulty: (_: unknown, weights: Weights) => norm(weights) },
  }));

/** Divides by a gradient's own norm, which is 0. */
const quotient = () =>
  tapping('buildGradients', (before: (...given: unknown[]) => { gradients: Record<string, tf.Tensor> }) => {
    return (...given: unknown[]) => {
      const found = before(...given);
      const bias = found.gradients['classifier/bias']!;
      return { ...found, gradients: { ...found.gradients, 'classifier/bias': bias.add(1).div(tf.zerosLike(bias)) } };
    };
  });

const rows: [string, () => Plugin, string][] = [
  ['a penalty', normAtZero, 'NaN'],
  ['a quotient of gradients', quotient, 'infinity'],
];

const message = (got: string) =>
  `step 1 (epoch 1): expected finite gradients, got ${got} in that of classifier/bias, while the loss is finite. The learning rate is 0.01.\n` +
  '  [faulty] takes part in loss and gradients: keep roots, logarithms and quotients away from 0, where their derivative is not finite. Else lower train.optimizer.learningRate, or clip gradients.';

const expectNamed = async (step: 'eager' | 'captured', [, plugin, got]: (typeof rows)[number]): Promise<void> => {
  expect(await outcomeOf([plugin()], step)).toMatchObject({
    code: 'GRADIENT_NOT_FINITE',
    plugin: 'faulty',
    message: message(got),
  });
};

describe('a gradient that is not finite while the loss is ends the run in its own step', () => {
  test.each(rows)('%s, eager', async (...row) => expectNamed('eager', row));

  describeNative('captured', () => {
    test.each(rows)('%s, captured', async (...row) => expectNamed('captured', row));
  });
});
