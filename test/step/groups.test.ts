import { beforeAll, describe, expect, test } from 'vitest';
import type { Model, WeightSpec } from '../../src/models/types.ts';
import { groupWeights } from '../../src/step/groups.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { type OptimizerOptions, optimizerOptions } from '../../src/step/options.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import { readReference } from '../models/reference.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';
import { describeNative } from './captured-support.ts';
import { weightsAfter } from './optimizer-support.ts';

interface References {
  steps: number;
  shapes: Record<string, number[]>;
  cases: { case: string; options: { learningRate: number }; weights: Record<string, number[]> }[];
}

const { steps, shapes, cases } = readReference<References>('optimizer-groups.json');

const kindOf = (name: string): WeightSpec['kind'] =>
  name.endsWith('kernel') ? 'kernel' : name.endsWith('bias') ? 'bias' : 'norm';

const specs = Object.entries(shapes).map(
  ([name, shape]): WeightSpec => ({ name, shape, kind: kindOf(name), initial: () => new Float32Array(sizeOf(shape)) }),
);
const model = { name: 'two-blocks', weights: specs } as unknown as Model;
const models = { base: model, model };

const parse = (options: object): OptimizerOptions => optimizerOptions.parse({ name: 'sgd', ...options });
const group = (options: object, frozen: readonly string[] = []) =>
  groupWeights(parse(options), models, new Set(frozen));

describeBackends('ten steps as in the parameter groups of torch.optim', (use) => {
  beforeAll(use);

  test.each(cases.map((one) => [`${one.case}: ${JSON.stringify(one.options)}`, one] as const))('%s', (_, one) => {
    const options = parse(one.options);
    const optimizer = createOptimizer(options, groupWeights(options, models, new Set()).rules);
    const weights = weightsAfter(optimizer, specs, { steps, learningRate: options.learningRate });
    for (const [name, values] of Object.entries(one.weights)) {
      weights[name]!.dataSync().forEach((value, i) => {
        expect(Math.abs(value - values[i]!), name).toBeLessThan(2e-6);
      });
    }
  });
});

describe('what a group names', () => {
  test('without groups every weight is as the optimizer says, and the plan says nothing', () => {
    expect(group({})).toEqual({ rules: new Map(), notes: [] });
    expect(group({ groups: [], noDecay: [], layerDecay: 1 })).toEqual({ rules: new Map(), notes: [] });
  });

  test('a weight is in the first group that names it; frozen weights are in none', () => {
    const { rules, notes } = group(
      {
        learningRate: 0.2,
        weightDecay: 0.5,
        groups: [
          { match: 'block1/kernel', learningRate: 0.1 },
          { match: 'block*', learningRate: 0.05, weightDecay: 0 },
        ],
      },
      ['block2/bias'],
    );
    expect(rules.get('block1/kernel')).toEqual({ factor: 0.5, weightDecay: 0.5 });
    expect(rules.get('block1/norm/scale')).toEqual({ factor: 0.25, weightDecay: 0 });
    expect(rules.has('block2/bias')).toBe(false);
    expect(rules.get('classifier/bias')).toEqual({ factor: 1, weightDecay: 0.5 });
    expect(notes).toEqual([
      'block1/kernel: learning rate 0.1, weight decay 0.5 (1 array)',
      'block*: learning rate 0.05, weight decay 0 (2 arrays)',
    ]);
  });

  test('weights that plugins add have the layer that their names say', () => {
    const added = [...specs, { ...specs[0]!, name: 'lora/block1/down' }, { ...specs[0]!, name: 'lws/scale' }];
    const extended = { base: model, model: { ...model, weights: added } };
    const { rules, notes } = groupWeights(parse({ layerDecay: 0.5, noDecay: ['bias'] }), extended, new Set());
    expect(rules.get('lora/block1/down')!.factor).toBe(0.25);
    expect(rules.get('lws/scale')!.factor).toBe(1);
    expect(notes).toEqual([
      'biases: no weight decay (3 arrays)',
      'layer decay: learning rates × 0.5 for each of 3 layers below the top',
    ]);
  });
});

describe('refused', () => {
  test.each([
    [
      { groups: [{ match: 'blok1', learningRate: 0.1 }] },
      'train.optimizer.groups[0].match: expected `backbone`, or how the names of weights begin; no name begins with "blok1". Here: backbone, stem, block1, block2, norm, classifier.',
    ],
    [
      {
        groups: [
          { match: 'backbone', learningRate: 0.1 },
          { match: 'stem', weightDecay: 0 },
        ],
      },
      'train.optimizer.groups[1]: expected trained weights that are in no group before it; "stem" names 2 arrays, which are frozen or in one. Put it before that group, freeze less, or remove it.',
    ],
  ])('%j', async (options, message) => {
    expect(await messageOfError(() => group(options))).toBe(message);
  });

  test('layer decay for a model without layers', async () => {
    const flat = { ...model, weights: [specs.at(-1)!] };
    const refused = () => groupWeights(parse({ layerDecay: 0.9 }), { base: flat, model: flat }, new Set());
    expect(await messageOfError(refused)).toBe(
      'train.optimizer.layerDecay: expected a model whose weights have names of stages or blocks, as stage1/block2/conv1/kernel; two-blocks has none. Use train.optimizer.groups.',
    );
  });

  test('a group without a number of its own', () => {
    expect(() => parse({ groups: [{ match: 'stem' }] })).toThrow('expected a learningRate or a weightDecay');
  });
});

const optimizer = {
  name: 'sgd',
  learningRate: 0.05,
  weightDecay: 0.1,
  noDecay: ['norm', 'bias'],
  layerDecay: 0.5,
  groups: [{ match: 'classifier', learningRate: 0.2 }],
} as const;
const run = (step: 'eager' | 'captured') => ({
  data: squares(),
  model: { name: 'small-cnn', width: 2 } as const,
  train: { epochs: 2, batchSize: 16, step, optimizer } as never,
});

test('the plan has the groups', async () => {
  const { plan } = await planRun(run('eager'));
  expect(plan.split('\n').filter((line) => line.startsWith('optimizer'))).toEqual([
    'optimizer               classifier: learning rate 0.2, weight decay 0.1 (2 arrays)',
    'optimizer               norms and biases: no weight decay (6 arrays)',
    'optimizer               layer decay: learning rates × 0.5 for each of 4 layers below the top',
  ]);
});

describeNative('a run with groups', () => {
  test('is the same eager and captured', async () => {
    const [eager, captured] = await Promise.all(
      (['eager', 'captured'] as const).map(async (step) => (await createTrainer(run(step)).run()).snapshot!.state),
    );
    for (const [name, { values }] of Object.entries(eager!)) {
      values.forEach((value, i) => void expect(captured![name]!.values[i], name).toBeCloseTo(value, 4));
    }
  });
});
