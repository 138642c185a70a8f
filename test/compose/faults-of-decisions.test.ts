import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Hooks } from '../../src/hooks.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { Batch, Targets } from '../../src/step/types.ts';
import { describeFaults, type Fault, fail } from '../support/fault-table.ts';
import { type FaultyParts, faulty, outcomeOf, tapping } from '../support/faulty.ts';

const part = (name: keyof FaultyParts, value: unknown) => () => faulty({ [name]: value });
const onBatch =
  (change: (batch: Batch) => unknown, parts: FaultyParts = {}) =>
  () =>
    tapping('onBatch', change, parts);
const onTargets = (change: (targets: Targets) => unknown) => () => tapping('computeTargets', change);
const weightsOf = 'expected a Float64Array of 4, each of 0 or more, one a class';

const decisions: Fault[] = [
  ['onBatch throws', onBatch(fail), 'onBatch', 'onBatch: boom', 'PLUGIN_FAILED'],
  ['onBatch returns a number', onBatch(() => 3), 'onBatch', 'onBatch: expected the batch; got 3.'],
  ['onBatch returns null', onBatch(() => null), 'onBatch', 'onBatch: expected the batch; got null.'],
  [
    'lambda is a plain array',
    onBatch((batch) => ({ ...batch, lambda: Array.from(batch.lambda) })),
    'onBatch',
    'onBatch: lambda: expected a Float32Array of 8, each in 0…1; got an array of 8.',
  ],
  [
    'lambda of the wrong length',
    onBatch((batch) => ({ ...batch, lambda: batch.lambda.slice(1) })),
    'onBatch',
    'onBatch: lambda: expected a Float32Array of 8, each in 0…1; got a Float32Array of 7.',
  ],
  [
    'lambda of NaN',
    onBatch((batch) => ({ ...batch, lambda: batch.lambda.map(() => Number.NaN) })),
    'onBatch',
    'onBatch: lambda[0]: expected a number in 0…1; got NaN.',
  ],
  [
    'pair is a plain array',
    onBatch((batch) => ({ ...batch, pair: [...batch.pair] })),
    'onBatch',
    'onBatch: pair: expected an Int32Array of 8, each in 0…7, a row of the pool; got an array of 8.',
  ],
  [
    'pair beyond the pool',
    onBatch((batch) => ({ ...batch, pair: batch.pair.map(() => 8) })),
    'onBatch',
    'onBatch: pair[0]: expected a number in 0…7, a row of the pool; got 8.',
  ],
  [
    'a box outside of the image',
    onBatch((batch) => ({ ...batch, box: { top: 0, bottom: 9, left: 0, right: 1 } })),
    'onBatch',
    'onBatch: box: expected null, or whole rows in 0…8 and columns in 0…8; got rows 0…9, columns 0…1.',
  ],
  [
    'an unknown variant',
    onBatch((batch) => ({ ...batch, variants: { depth: 'two' } }), { variants: () => ({ depth: ['one'] }) }),
    'onBatch',
    'onBatch: variants.depth: expected "one"; got "two".',
  ],
  [
    'a variant that is not declared',
    onBatch((batch) => ({ ...batch, variants: { depth: 'two' } })),
    'onBatch',
    'onBatch: variants.depth: expected a declared variant, of which there is none; got another.',
  ],
  [
    'an input that is not declared',
    onBatch((batch) => ({ ...batch, inputs: { 'faulty/noise': new Float32Array(8) } })),
    'onBatch',
    'onBatch: inputs["faulty/noise"]: expected a declared input, of which there is none; got another name.',
  ],
  [
    'a label of no class',
    onBatch((batch) => {
      batch.labels[0] = 99;
      return batch;
    }),
    'onBatch',
    'onBatch: labels[0]: expected a number in 0…3, a class; got 99.',
  ],
  [
    'other labels',
    onBatch((batch) => ({ ...batch, labels: batch.labels.map(() => -1) })),
    'onBatch',
    'onBatch: labels: expected it as it was: no tap may change it; got another value. Spread what was handed in, and change the rest.',
  ],
  [
    'computeTargets returns a number',
    onTargets(() => 3),
    'computeTargets',
    'computeTargets: expected the targets; got 3.',
  ],
  [
    'label weights in a plain array',
    onTargets((targets) => ({ ...targets, labelWeight: [...targets.labelWeight] })),
    'computeTargets',
    'computeTargets: labelWeight: expected a Float32Array of 8, each in 0…1; got an array of 8.',
  ],
  [
    'a label weight above 1',
    onTargets((targets) => ({ ...targets, labelWeight: targets.labelWeight.map(() => 1.5) })),
    'computeTargets',
    'computeTargets: labelWeight[0]: expected a number in 0…1; got 1.5.',
  ],
  [
    'a target of no class',
    onTargets((targets) => {
      targets.labels[0] = 4;
      return targets;
    }),
    'computeTargets',
    'computeTargets: labels[0]: expected a number in 0…3, a class; got 4.',
  ],
  ...[null, Number.NaN, -0.1, Number.POSITIVE_INFINITY, '0.1', {}].map((rate): Fault => {
    const got =
      typeof rate === 'string' ? '"0.1"' : rate !== null && typeof rate === 'object' ? 'an empty object' : String(rate);
    return [
      `a learning rate of ${got}`,
      () => tapping('computeLearningRate', () => rate),
      'computeLearningRate',
      `computeLearningRate: expected a finite number of 0 or more; got ${got}.`,
    ];
  }),
  ...(['computeClassWeights', 'computeSamplingWeights'] as const).flatMap((hook): Fault[] => [
    [
      `${hook} returns a plain array`,
      () => tapping(hook, () => [1, 1, 1, 1]),
      hook,
      `${hook}: ${weightsOf}; got an array of 4.`,
    ],
    [`${hook} returns a number`, () => tapping(hook, () => 3), hook, `${hook}: ${weightsOf}; got 3.`],
    [
      `${hook} returns NaN`,
      () => tapping(hook, () => Float64Array.of(1, Number.NaN, 1, 1)),
      hook,
      `${hook}: [1]: expected a number of 0 or more, one a class; got NaN.`,
    ],
    [
      `${hook} returns zeros`,
      () => tapping(hook, () => new Float64Array(4)),
      hook,
      `${hook}: expected a weight above 0; got zeros.`,
    ],
    [
      `${hook} returns nothing`,
      () => tapping(hook, () => undefined),
      hook,
      `${hook} returned undefined. Return the value that was handed in, changed or not.`,
      'RETURNED_NOTHING',
    ],
    [
      `${hook} is async, and fails later`,
      () => tapping(hook, async () => fail()),
      hook,
      `${hook} returned a Promise. This hook runs inside the step and must be synchronous: do the waiting in an on…Begin or on…End hook.`,
      'RETURNED_PROMISE',
    ],
  ]),
  [
    'computeClassWeights leaves a batch without weight',
    () =>
      faulty({
        apply({ hooks: own }: { hooks: Hooks }) {
          own.computeSamplingWeights.tap('faulty', () => Float64Array.of(1, 0, 0, 0));
          own.computeClassWeights.tap('faulty', () => Float64Array.of(0, 1, 1, 1));
        },
      }),
    'computeClassWeights',
    'computeClassWeights: expected a weight above 0 for some image of the batch; all are 0 in step 1 (epoch 1), and their mean is 0/0. Raise the class weights or the batch size, or set train.reduction: mean.',
    'CLASS_WEIGHTS',
  ],
  [
    'a declared input that is not filled',
    part('inputs', () => ({ noise: { shape: ['batch'], dtype: 'float32' } })),
    'onBatch',
    'onBatch: inputs["faulty/noise"]: expected a Float32Array of 8, each other than NaN, for float32[batch]; got undefined.',
  ],
  [
    'a declared input in a plain array',
    onBatch((batch) => ({ ...batch, inputs: { 'faulty/noise': new Array(8).fill(0) } }), {
      inputs: () => ({ noise: { shape: ['batch'], dtype: 'float32' } }),
    }),
    'onBatch',
    'onBatch: inputs["faulty/noise"]: expected a Float32Array of 8, each other than NaN, for float32[batch]; got an array of 8.',
  ],
];

describeFaults('what a plugin decides', decisions);

test('an observer that fails in the run leaves its records', async () => {
  for (const hook of ['onTrainBegin', 'onEpochBegin'] as const) {
    expect(await outcomeOf([tapping(hook, fail)], 'eager')).toEqual({
      code: 'PLUGIN_FAILED',
      plugin: 'faulty',
      hook,
      message: `[faulty] ${hook}: boom`,
    });
  }
});

test('a plugin that is held is named, and not its holder', async () => {
  const held = definePlugin({
    name: 'held',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply: ({ hooks: own }) => void own.onBatch.tap('held', (batch) => ({ ...batch, lambda: new Float32Array(1) })),
  });
  const { default: choose } = await import('../../plugins/choose/index.ts');
  expect(await outcomeOf([choose({ of: [{ plugin: held() }] })], 'eager')).toMatchObject({
    plugin: 'held',
    hook: 'onBatch',
  });
});
