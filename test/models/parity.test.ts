import { beforeAll, expect, test } from 'vitest';
import { softmaxCrossEntropy } from '../../src/backend/kernels/index.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import {
  distanceTo,
  type ModelReference,
  type ModelReferences,
  noise,
  readReference,
  referenceWeight,
} from './reference.ts';

const { models, sizes } = readReference<ModelReferences>('models.json');

const modelOf = ({ options, classes, imageShape }: Pick<ModelReference, 'options' | 'classes' | 'imageShape'>): Model =>
  createModel(modelOptions.parse(options), { classes, imageShape });

const title = ({ options: { name, width, head } }: ModelReference): string =>
  [name, width && `width ${width}`, head].filter(Boolean).join(', ');

const pass = (training: boolean): Pass => ({ training, inputs: {}, variants: {}, atStage: (_, features) => features });

test.each(sizes)('$name has $parameters parameters', ({ name, parameters, ...task }) => {
  const { weights } = modelOf({ options: { name }, ...task });
  const size = weights.filter(({ kind }) => kind !== 'statistic').reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  expect(size).toBe(parameters);
});

test.each(models.map((reference) => [title(reference), reference] as const))(
  '%s has the weights of the PyTorch network',
  (_, reference) => {
    const { weights } = modelOf(reference);
    expect(Object.fromEntries(weights.map(({ name, shape }) => [name, [...shape]]))).toEqual(reference.weights);
  },
);

describeBackends('forward and backward as in PyTorch', (use) => {
  beforeAll(use);

  test.each(models.map((reference) => [title(reference), reference] as const))('%s', (_, reference) => {
    const model = modelOf(reference);
    const { batch, classes, imageShape } = reference;
    tf.tidy(() => {
      const weights: NamedTensors = Object.fromEntries(
        model.weights.map(({ name, shape }) => [name, tf.tensor(referenceWeight(name, shape), [...shape])]),
      );
      const size = imageShape.reduce((a, b) => a * b, batch);
      const images = tf.tensor4d(noise(reference.images, size), [batch, ...imageShape]);
      const labels = tf.tensor1d(
        Array.from({ length: batch }, (_, i) => (7 * i + 3) % classes),
        'int32',
      );
      const distances: Record<string, number> = {};
      const compare = (what: string, name: string, tensor: tf.Tensor, to: ModelReference['logits']): void => {
        distances[`${what} ${name}`] = distanceTo(to, name, tensor.dataSync());
      };

      const evaluated = model.forward(weights, images, pass(false));
      expect(evaluated.statistics).toEqual({});
      compare('evaluated', 'logits', evaluated.logits, reference.evaluatedLogits);

      const trained = model.weights.filter(({ kind }) => kind !== 'statistic').map(({ name }) => name);
      const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
        const given = { ...weights, ...Object.fromEntries(trained.map((name, i) => [name, tensors[i]!])) };
        const outputs = model.forward(given, images, pass(true));
        compare('trained', 'logits', outputs.logits, reference.logits);
        compare('trained', 'features', outputs.features, reference.features);
        expect(Object.keys(outputs.statistics).sort()).toEqual(Object.keys(reference.statistics).sort());
        for (const [name, statistic] of Object.entries(outputs.statistics)) {
          compare('statistic', name, statistic, reference.statistics[name]!);
        }
        return softmaxCrossEntropy(outputs.logits, labels).mean();
      })(trained.map((name) => weights[name]!));
      trained.forEach((name, i) => {
        compare('gradient', name, grads[i]!, reference.gradients[name]!);
      });

      expect(value.dataSync()[0]! / reference.loss).toBeCloseTo(1, 4);
      const worst = Object.entries(distances).sort(([, a], [, b]) => b - a)[0]!;
      expect(worst[1], worst[0]).toBeLessThan(1e-4);
    });
  });
});
