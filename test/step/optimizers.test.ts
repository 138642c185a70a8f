import { beforeAll, expect, test } from 'vitest';
import type { WeightSpec } from '../../src/models/types.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { optimizerOptions } from '../../src/step/options.ts';
import { tf } from '../../src/tf.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import { readReference } from '../models/reference.ts';
import { passAt, weightsAfter } from './optimizer-support.ts';

interface OptimizerReferences {
  steps: number;
  learningRate: number;
  shapes: Record<string, number[]>;
  cases: { options: { name: string }; weights: Record<string, number[]> }[];
}

const { steps, learningRate, shapes, cases } = readReference<OptimizerReferences>('optimizers.json');

const specs: WeightSpec[] = Object.entries(shapes).map(([name, shape]) => ({
  name,
  shape,
  kind: 'kernel',
  initial: () => new Float32Array(0),
}));

describeBackends('ten steps as in torch.optim', (use) => {
  beforeAll(use);

  test.each(cases.map((reference) => [JSON.stringify(reference.options), reference] as const))(
    '%s',
    (_, { options, weights: expected }) => {
      const optimizer = createOptimizer(optimizerOptions.parse(options));
      const weights = weightsAfter(optimizer, specs, { steps, learningRate });
      for (const [name, values] of Object.entries(expected)) {
        weights[name]!.dataSync().forEach((value, i) => {
          expect(Math.abs(value - values[i]!)).toBeLessThan(2e-6);
        });
      }
    },
  );

  test('SGD without momentum keeps no state', () => {
    const slots = (momentum: number) =>
      createOptimizer(optimizerOptions.parse({ name: 'sgd', momentum })).slots(specs, specs);
    expect(slots(0)).toEqual([]);
    expect(slots(0.5).map(({ name }) => name)).toEqual(specs.map(({ name }) => `momentum/${name}`));
  });

  test('state is kept by name: a weight without a gradient keeps its own', () => {
    const optimizer = createOptimizer(optimizerOptions.parse({ name: 'sgd', momentum: 0.9 }));
    const slots = { 'momentum/a': tf.ones([3, 4]), 'momentum/b': tf.zeros([5]) };
    const weights = { a: tf.ones([3, 4]), b: tf.ones([5]) };
    const next = optimizer.apply(weights, slots, { b: tf.ones([5]) }, passAt(0.1));
    expect(Object.keys(next.weights)).toEqual(['b']);
    expect(Object.keys(next.slots)).toEqual(['momentum/b']);
  });
});
