import { expect, test } from 'vitest';
import type { ModelOutputs } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { stopGradient } from '../../src/step/stop-gradient.ts';
import type { Loss } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { describeFaults, type Fault, fail } from '../support/fault-table.ts';
import { faulty, outcomeOf, tapping } from '../support/faulty.ts';
import { describeNative } from './captured-support.ts';

const loss = (change: (loss: Loss) => unknown) => () => tapping('buildLoss', change);
const termLoss = (term: unknown) => loss((before) => ({ ...before, termLoss: term }));
const penalty = (value: unknown) =>
  loss((before) => ({ ...before, penalties: { ...before.penalties, faulty: value } }));

const losses: Fault[] = [
  [
    'a number',
    loss(() => 3),
    'buildLoss',
    'buildLoss: expected a loss { adjustLogits, termLoss, penalties, … }; got 3.',
  ],
  [
    'nothing of a loss',
    loss(() => ({})),
    'buildLoss',
    'buildLoss, penalties: expected functions by plugin name; got undefined.',
  ],
  [
    'a loss without termLoss',
    loss(({ adjustLogits, penalties }) => ({ adjustLogits, penalties })),
    'buildLoss',
    'buildLoss, termLoss: expected a function (logits, labels, pass) → a loss for each row; got undefined.',
  ],
  [
    'a loss without adjustLogits',
    loss(({ termLoss: term, penalties }) => ({ termLoss: term, penalties })),
    'buildLoss',
    'buildLoss, adjustLogits: expected a function (logits, labels, pass) → logits; got undefined.',
  ],
  [
    'a termLoss that is a number',
    termLoss(1),
    'buildLoss',
    'buildLoss, termLoss: expected a function (logits, labels, pass) → a loss for each row; got 1.',
  ],
  ['a termLoss that throws', termLoss(fail), 'buildLoss', 'buildLoss, termLoss: boom', 'PLUGIN_FAILED'],
  [
    'a termLoss that is a scalar',
    termLoss((logits: tf.Tensor) => logits.mean()),
    'buildLoss',
    'buildLoss, termLoss: expected float32 [batch] = [8]; got a float32 scalar. It gives a loss for each row; core weights and reduces them.',
  ],
  [
    'a termLoss of logits’ shape',
    termLoss((logits: tf.Tensor) => logits.square()),
    'buildLoss',
    'buildLoss, termLoss: expected float32 [batch] = [8]; got float32 [8, 4]. It gives a loss for each row; core weights and reduces them.',
  ],
  [
    'a termLoss of a Promise',
    termLoss(async (logits: tf.Tensor) => logits.mean(1)),
    'buildLoss',
    'buildLoss, termLoss: expected float32 [batch] = [8]; got a Promise. It gives a loss for each row; core weights and reduces them.',
  ],
  [
    'a termLoss of nothing',
    termLoss(() => undefined),
    'buildLoss',
    'buildLoss, termLoss: expected float32 [batch] = [8]; got undefined. It gives a loss for each row; core weights and reduces them.',
  ],
  [
    'an axis that does not exist',
    termLoss((logits: tf.Tensor) => logits.mean(2)),
    'buildLoss',
    'buildLoss, termLoss: All values in axis param must be in range [-2, 2) but got axis 2',
    'PLUGIN_FAILED',
  ],
  [
    'adjusted logits of another shape',
    loss((before) => ({ ...before, adjustLogits: (logits: tf.Tensor) => logits.sum(1) })),
    'buildLoss',
    'buildLoss, adjustLogits: expected float32 [batch, C] = [8, 4]; got float32 [8].',
  ],
  [
    'a penalty that is a number',
    penalty(0.5),
    'buildLoss',
    'buildLoss, penalties.faulty: expected a function (outputs, weights, pass) → a scalar; got 0.5.',
  ],
  [
    'a penalty that gives a number',
    penalty(() => 0.5),
    'buildLoss',
    'buildLoss, penalties.faulty: expected a float32 scalar; got 0.5. Reduce it, for example with .mean().',
  ],
  [
    'a penalty that is a vector',
    penalty(({ features }: ModelOutputs) => features.square().sum(1)),
    'buildLoss',
    'buildLoss, penalties.faulty: expected a float32 scalar; got float32 [8]. Reduce it, for example with .mean().',
  ],
  [
    'a penalty that is a matrix',
    penalty(({ features }: ModelOutputs) => features.square()),
    'buildLoss',
    'buildLoss, penalties.faulty: expected a float32 scalar; got float32 [8, 8]. Reduce it, for example with .mean().',
  ],
  ['a penalty that throws', penalty(fail), 'buildLoss', 'buildLoss, penalties.faulty: boom', 'PLUGIN_FAILED'],
  [
    'a penalty that is NaN',
    penalty(({ features }: ModelOutputs) => features.mean().mul(Number.NaN)),
    'buildLoss',
    'buildLoss, penalties.faulty: expected a finite number, got NaN in step 1 (epoch 1). Keep logarithms, roots and quotients away from 0.',
    'PENALTY_NOT_FINITE',
  ],
  [
    'a loss that is NaN',
    termLoss((logits: tf.Tensor) => logits.mean(1).mul(Number.NaN)),
    'buildLoss',
    'buildLoss: expected a finite loss, got NaN in step 1, before any weight has changed. Keep logarithms, roots and quotients away from 0.',
    'LOSS_NOT_FINITE',
  ],
  [
    'a misspelt input',
    termLoss((logits: tf.Tensor, _: unknown, pass: { inputs: Record<string, tf.Tensor> }) =>
      logits.mean(1).mul(pass.inputs.wieght!),
    ),
    'buildLoss',
    'buildLoss, termLoss: pass.inputs["wieght"]: expected an input of the step or one that a plugin declares, perhaps "weight".',
    'STEP_INPUT',
  ],
  [
    'an op without a gradient',
    termLoss((logits: tf.Tensor) => tf.topk(logits, 2).values.sum(1)),
    'buildLoss',
    'buildLoss, termLoss: expected ops in the loss that have a gradient; TopK has none. Keep it out of the loss, or pass what it gives through stopGradient.',
    'GRADIENT_MISSING',
  ],
  [
    'a loss of no weight',
    termLoss((logits: tf.Tensor) => stopGradient(logits).mean(1)),
    'buildLoss',
    "buildLoss, termLoss: expected a loss that depends on a weight that is trained; it depends on none, and nothing would be learnt. Compute it from the model's logits or features with ops that have a gradient.",
    'LOSS_DETACHED',
  ],
];

describeFaults('what a plugin makes of the loss', losses);

describeNative('an op that TensorFlow refuses', () => {
  const mismatched = termLoss((logits: tf.Tensor) => tf.matMul(logits, logits).mean(1));

  test('shapes that TensorFlow refuses, captured', async () => {
    expect(await outcomeOf([mismatched()], 'captured')).toEqual({
      code: 'CAPTURE_OP',
      plugin: 'faulty',
      hook: 'buildLoss',
      message: expect.stringMatching(
        /^\[faulty] buildLoss, termLoss: captured "train": BatchMatMulV2 does not run: .*In\[0]: \[8,4], In\[1]: \[8,4]/s,
      ),
    });
  });

  test('shapes that TensorFlow refuses, eager', async () => {
    expect(await outcomeOf([mismatched()], 'eager')).toEqual({
      code: 'PLUGIN_FAILED',
      plugin: 'faulty',
      hook: 'buildLoss',
      message: expect.stringMatching(/^\[faulty] buildLoss, termLoss: .*In\[0]: \[8,4], In\[1]: \[8,4]/s),
    });
  });
});

test('of several plugins, the one whose function is wrong is named', async () => {
  const innocent = (name: string): Plugin => {
    const plugin = faulty({
      name,
      apply({ hooks }: Parameters<Plugin['definition']['apply']>[0]) {
        hooks.buildLoss.tap(name, (before) => ({
          ...before,
          termLoss: (...given) => before.termLoss(...given).mul(1),
        }));
      },
    });
    return plugin;
  };
  const wrong = termLoss((logits: tf.Tensor) => logits.square())();
  for (const plugins of [
    [wrong, innocent('outer')],
    [innocent('inner'), wrong],
  ]) {
    expect(await outcomeOf(plugins, 'eager')).toMatchObject({ plugin: 'faulty', hook: 'buildLoss' });
  }
});

test('a plugin that drops the penalty of another one is named', async () => {
  const first = faulty({
    name: 'first',
    apply({ hooks }: Parameters<Plugin['definition']['apply']>[0]) {
      hooks.buildLoss.tap('first', (before) => ({
        ...before,
        penalties: { ...before.penalties, first: ({ features }) => features.square().mean() },
      }));
    },
  });
  expect(await outcomeOf([first, loss((before) => ({ ...before, penalties: {} }))()], 'eager')).toMatchObject({
    plugin: 'faulty',
    message:
      '[faulty] buildLoss, penalties: expected the penalty of first to stay; got penalties without it. Spread those before: { ...loss.penalties, … }.',
  });
});
