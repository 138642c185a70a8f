import { describe, expect, test } from 'vitest';
import type { Forward, ModelOutputs } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { stopGradient } from '../../src/step/stop-gradient.ts';
import type { Backward, Gradients, Loss, Predict, SlotSpec, Update } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { faulty, outcomeOf, tapping } from '../support/faulty.ts';
import { describeNative } from './captured-support.ts';

/** What is wrong, a plugin that does it, the hook that is named, what is said after `[faulty] `, and the error's code. */
type Case = [title: string, plugin: () => Plugin, hook: string, message: string, code?: string];

const loss = (change: (loss: Loss) => unknown) => () => tapping('buildLoss', change);
const termLoss = (term: unknown) => loss((before) => ({ ...before, termLoss: term }));
const penalty = (value: unknown) =>
  loss((before) => ({ ...before, penalties: { ...before.penalties, faulty: value } }));
const outputs = (change: (outputs: ModelOutputs, weights: Record<string, tf.Tensor>) => unknown) => () =>
  tapping(
    'buildModel',
    (forward: Forward): unknown =>
      (...given: Parameters<Forward>) =>
        change(forward(...given), given[0]),
  );
const backward = (change: (found: Backward) => unknown) => () =>
  tapping(
    'buildGradients',
    (gradients: Gradients): unknown =>
      (...given: Parameters<Gradients>) =>
        change(gradients(...given)),
  );
const update = (change: (update: Update) => object) => () =>
  tapping('buildUpdate', (before: Update): unknown => ({ ...before, ...change(before) }));
const applied = (change: (next: ReturnType<Update['apply']>) => unknown) =>
  update((before) => ({ apply: (...given: Parameters<Update['apply']>) => change(before.apply(...given)) }));
const slots = (...added: unknown[]) =>
  update((before) => ({ slots: (...given: Parameters<Update['slots']>) => [...before.slots(...given), ...added] }));
const slot = (changes: Partial<Record<keyof SlotSpec, unknown>> = {}) => ({
  name: 'faulty/slot',
  shape: [2],
  initial: () => new Float32Array(2),
  ...changes,
});
const predict = (change: (logits: tf.Tensor) => unknown) => () =>
  tapping(
    'buildPrediction',
    (before: Predict): unknown =>
      (...given: Parameters<Predict>) =>
        change(before(...given)),
  );
const fail = (): never => {
  throw new Error('boom');
};

const model: Case[] = [
  [
    'a number',
    () => tapping('buildModel', () => 3),
    'buildModel',
    'buildModel: expected a function (weights, images, pass) → outputs; got 3.',
  ],
  [
    'null',
    () => tapping('buildModel', () => null),
    'buildModel',
    'buildModel: expected a function (weights, images, pass) → outputs; got null.',
  ],
  ['a function that throws', outputs(fail), 'buildModel', 'buildModel: boom', 'PLUGIN_FAILED'],
  [
    'nothing as outputs',
    outputs(() => undefined),
    'buildModel',
    'buildModel: expected { logits, features, statistics }; got undefined.',
  ],
  [
    'a Promise of outputs',
    outputs(async (found) => found),
    'buildModel',
    'buildModel: expected { logits, features, statistics }; got a Promise.',
  ],
  [
    'logits of another width',
    outputs((found) => ({ ...found, logits: found.logits.slice([0, 0], [-1, 3]) })),
    'buildModel',
    'buildModel: logits: expected float32 [batch, C], C = 4; got float32 [8, 3].',
  ],
  [
    'logits of fewer rows',
    outputs(({ logits, features, statistics }) => ({
      logits: logits.slice([0, 0], [2, -1]),
      features: features.slice([0, 0], [2, -1]),
      statistics,
    })),
    'buildModel',
    'buildModel: logits: expected a row for each of 8 images; got [2, 4].',
  ],
  [
    'features of another rank',
    outputs((found) => ({ ...found, features: found.features.sum() })),
    'buildModel',
    "buildModel: features: expected float32 [batch, D] = [8, 8]; got a float32 scalar. The model's featureSize is 8.",
  ],
  [
    'logits that are not numbers of float32',
    outputs((found) => ({ ...found, logits: found.logits.toInt() })),
    'buildModel',
    'buildModel: logits: expected float32 [batch, C] = [8, 4]; got int32 [8, 4].',
  ],
  [
    'no statistics',
    outputs(({ logits, features }) => ({ logits, features })),
    'buildModel',
    'buildModel: statistics: expected tensors by name; got undefined.',
  ],
  [
    'a statistic of another shape',
    outputs((found) => ({ ...found, statistics: { 'hidden/mean': tf.zeros([3]) } })),
    'buildModel',
    'buildModel: statistics["hidden/mean"]: expected float32 [8], as before; got float32 [3].',
  ],
  [
    'a statistic that is a number',
    outputs((found) => ({ ...found, statistics: { 'hidden/mean': 0 } })),
    'buildModel',
    'buildModel: statistics["hidden/mean"]: expected float32 [8], as before; got 0.',
  ],
  [
    'a statistic of an unknown name',
    outputs((found) => ({ ...found, statistics: { 'hidden/maen': tf.zeros([8]) } })),
    'buildModel',
    'buildModel: statistics["hidden/maen"]: expected a known name, perhaps "hidden/mean"; got a new one.',
  ],
  [
    'a statistic that is a weight',
    outputs((found, weights) => ({ ...found, statistics: { 'classifier/bias': weights['classifier/bias']! } })),
    'buildModel',
    'buildModel: statistics["classifier/bias"]: expected a statistic of the model; got a weight that is no statistic.',
  ],
  [
    'an unknown weight',
    outputs((found, weights) => ({ ...found, logits: found.logits.add(weights['classifier/bais']!.mul(2)) })),
    'buildModel',
    `buildModel: Cannot read properties of undefined (reading 'mul')
  It read the weight "classifier/bais", which does not exist: perhaps "classifier/bias".`,
    'PLUGIN_FAILED',
  ],
  [
    'the gradient of an unknown weight',
    outputs((found, weights) => {
      tf.grad((kernel) => kernel.sum())(weights['classifier/kernal']!);
      return found;
    }),
    'buildModel',
    `buildModel: Argument 'x' passed to 'tf.grad' must be a Tensor or TensorLike, but got 'null'
  It read the weight "classifier/kernal", which does not exist: perhaps "classifier/kernel".`,
    'PLUGIN_FAILED',
  ],
  [
    'twice the rows, which core would cut',
    () =>
      tapping(
        'buildModel',
        (forward: Forward): unknown =>
          (...[weights, images, pass]: Parameters<Forward>) =>
            pass.training ? forward(weights, tf.concat([images, images]), pass) : forward(weights, images, pass),
      ),
    'buildModel',
    'buildModel: pass.atStage("input"): expected features of the 8 rows of the batch; got 16 rows. Core mixes and cuts the rows of the batch alone: for others, pass { ...pass, atStage: (_, features) => features }.',
    'STEP_ROWS',
  ],
];

const losses: Case[] = [
  ['a number', loss(() => 3), 'buildLoss', 'buildLoss: expected a loss { adjustLogits, termLoss, penalties }; got 3.'],
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

const gradients: Case[] = [
  [
    'a number',
    () => tapping('buildGradients', () => 3),
    'buildGradients',
    'buildGradients: expected a function (weights, pass) → backward; got 3.',
  ],
  ['a function that throws', backward(fail), 'buildGradients', 'buildGradients: boom', 'PLUGIN_FAILED'],
  [
    'nothing',
    backward(() => undefined),
    'buildGradients',
    'buildGradients: expected { loss, penalties, outputs, gradients }; got undefined.',
  ],
  [
    'a loss that is not reduced',
    backward((found) => ({ ...found, loss: tf.zeros([8]) })),
    'buildGradients',
    'buildGradients: loss: expected a float32 scalar; got float32 [8].',
  ],
  [
    'a penalty that is no scalar',
    backward((found) => ({ ...found, penalties: { faulty: tf.zeros([2]) } })),
    'buildGradients',
    'buildGradients: penalties.faulty: expected a float32 scalar; got float32 [2].',
  ],
  [
    'no outputs',
    backward(({ outputs: _, ...found }) => found),
    'buildGradients',
    'buildGradients: outputs: expected { logits, features, statistics }; got undefined.',
  ],
  [
    'a gradient of another shape',
    backward((found) => ({ ...found, gradients: { ...found.gradients, 'classifier/bias': tf.zeros([3]) } })),
    'buildGradients',
    'buildGradients: gradients["classifier/bias"]: expected float32 [4], as before; got float32 [3].',
  ],
  [
    'a gradient of an unknown weight',
    backward((found) => ({ ...found, gradients: { ...found.gradients, 'classifier/bais': tf.zeros([4]) } })),
    'buildGradients',
    'buildGradients: gradients["classifier/bais"]: expected a known name, perhaps "classifier/bias"; got a new one.',
  ],
  [
    'without the gradient of a weight',
    backward((found) => {
      const { 'classifier/bias': _, ...others } = found.gradients;
      return { ...found, gradients: others };
    }),
    'buildGradients',
    'buildGradients: gradients: expected one for each weight that is trained, "classifier/bias" too; got none for it. Pass on those that were handed in: { ...gradients, … }. model.freeze keeps weights from being trained.',
  ],
  [
    'reading the gradient of an unknown weight',
    backward((found) => ({ ...found, loss: found.gradients['classifier/bais']!.sum() })),
    'buildGradients',
    `buildGradients: Cannot read properties of undefined (reading 'sum')
  It read the gradient "classifier/bais", which does not exist: perhaps "classifier/bias".`,
    'PLUGIN_FAILED',
  ],
];

const updates: Case[] = [
  [
    'a function',
    () => tapping('buildUpdate', () => fail),
    'buildUpdate',
    'buildUpdate: expected an update { slots, apply }; got a function.',
  ],
  [
    'nothing of an update',
    () => tapping('buildUpdate', () => ({})),
    'buildUpdate',
    'buildUpdate, slots: expected a function (trained, all) → slots; got undefined.',
  ],
  [
    'an update without apply',
    () => tapping('buildUpdate', (before: Update): unknown => ({ slots: before.slots })),
    'buildUpdate',
    'buildUpdate, apply: expected a function (weights, slots, gradients, pass) → { weights, slots }; got undefined.',
  ],
  ['slots that throw', update(() => ({ slots: fail })), 'buildUpdate', 'buildUpdate, slots: boom', 'PLUGIN_FAILED'],
  [
    'slots that are no list',
    update(() => ({ slots: () => 3 })),
    'buildUpdate',
    'buildUpdate, slots: expected a list of slots; got 3.',
  ],
  [
    'a slot without values',
    slots({ name: 'x' }),
    'buildUpdate',
    'buildUpdate, slots: [3]: expected a slot { name, shape, initial(weights) }; got an object with name.',
  ],
  [
    'slots of one name',
    slots(slot(), slot()),
    'buildUpdate',
    'buildUpdate, slots: [4]: expected a name that no other slot has; got "faulty/slot".',
  ],
  [
    'a slot with the name of a weight',
    slots(slot({ name: 'classifier/bias' })),
    'buildUpdate',
    'buildUpdate, slots: [3]: expected a name that no weight has; got "classifier/bias".',
  ],
  [
    'a slot of the wrong length',
    slots(slot({ initial: () => new Float32Array(3) })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": expected a Float32Array of 2, each of finite size; got a Float32Array of 3.',
  ],
  [
    'a slot of another type',
    slots(slot({ initial: () => [0, 0] })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": expected a Float32Array of 2, each of finite size; got an array of 2.',
  ],
  [
    'a slot of NaN',
    slots(slot({ initial: () => Float32Array.of(0, Number.NaN) })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": [1]: expected a number of finite size; got NaN.',
  ],
  [
    'a slot that throws',
    slots(slot({ initial: fail })),
    'buildUpdate',
    'buildUpdate, initial of "faulty/slot": boom',
    'PLUGIN_FAILED',
  ],
  ['an apply that throws', applied(fail), 'buildUpdate', 'buildUpdate, apply: boom', 'PLUGIN_FAILED'],
  [
    'an apply of nothing',
    applied(() => undefined),
    'buildUpdate',
    'buildUpdate, apply: expected { weights, slots }; got undefined.',
  ],
  [
    'an apply without slots',
    applied(({ weights }) => ({ weights })),
    'buildUpdate',
    'buildUpdate, apply: slots: expected tensors by name; got undefined.',
  ],
  [
    'an unknown slot',
    applied((next) => ({ ...next, slots: { ...next.slots, 'momentum/classifier/bais': tf.zeros([4]) } })),
    'buildUpdate',
    'buildUpdate, apply: slots["momentum/classifier/bais"]: expected a known name, perhaps "momentum/classifier/bias"; got a new one.',
  ],
  [
    'a slot of another shape',
    applied((next) => ({ ...next, slots: { ...next.slots, 'momentum/classifier/bias': tf.zeros([3]) } })),
    'buildUpdate',
    'buildUpdate, apply: slots["momentum/classifier/bias"]: expected float32 [4], as before; got float32 [3].',
  ],
  [
    'a weight of another shape',
    applied((next) => ({ ...next, weights: { ...next.weights, 'classifier/bias': tf.scalar(0) } })),
    'buildUpdate',
    'buildUpdate, apply: weights["classifier/bias"]: expected float32 [4], as before; got a float32 scalar.',
  ],
  [
    'an unknown weight',
    applied((next) => ({ ...next, weights: { ...next.weights, 'classifier/bais': tf.zeros([4]) } })),
    'buildUpdate',
    'buildUpdate, apply: weights["classifier/bais"]: expected a known name, perhaps "classifier/bias"; got a new one.',
  ],
];

const predictions: Case[] = [
  [
    'a number',
    () => tapping('buildPrediction', () => 3),
    'buildPrediction',
    'buildPrediction: expected a function (weights, slots, images, pass) → logits; got 3.',
  ],
  ['a function that throws', predict(fail), 'buildPrediction', 'buildPrediction: boom', 'PLUGIN_FAILED'],
  [
    'classes',
    predict((logits) => logits.argMax(1)),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got int32 [20].',
  ],
  [
    'logits of other rows',
    predict((logits) => logits.mean(0, true)),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got float32 [1, 4].',
  ],
  [
    'a Promise',
    predict(async (logits) => logits),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got a Promise.',
  ],
  [
    'a tensor that was disposed',
    predict((logits) => {
      const copy = logits.mul(2);
      copy.dispose();
      return copy;
    }),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got a tensor that was disposed.',
  ],
];

const all = Object.entries({ model, loss: losses, gradients, update: updates, prediction: predictions });

const expectFault = async (step: 'eager' | 'captured', [, plugin, hook, message, code = 'RETURNED_WRONG']: Case) => {
  expect(await outcomeOf([plugin()], step)).toEqual({ code, plugin: 'faulty', hook, message: `[faulty] ${message}` });
};

describe.each(all)('what a plugin builds, eager: %s', (_, cases) => {
  test.each(cases)('%s', async (...given) => expectFault('eager', given));
});

describeNative('captured', () => {
  describe.each(all)('what a plugin builds: %s', (_, cases) => {
    test.each(cases)('%s', async (...given) => expectFault('captured', given));
  });

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
      '[faulty] buildLoss: expected the penalty of first to stay; got penalties without it. Spread those before: { ...loss.penalties, … }.',
  });
});
