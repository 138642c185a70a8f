import { expect, test } from 'vitest';
import { createModel, type ModelName, modelOptions } from '../../src/models/index.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { tf } from '../../src/tf.ts';
import { describeNative } from '../step/captured-support.ts';
import { type Description, distanceTo, noise, readReference, referenceWeight } from './reference.ts';

/** test/reference/torchvision-forward.json. */
interface Reference {
  models: {
    name: Extract<ModelName, 'resnet18-cifar' | 'resnet50'>;
    imageShape: [number, number, number];
    classes: number;
    batch: number;
    weights: Record<string, number[]>;
    evaluated: Description;
    trained: Description;
    statistics: Record<string, Description>;
  }[];
}

const { models } = readReference<Reference>('torchvision-forward.json');

describeNative('in full size, as torchvision computes it (test/reference/torchvision-forward.py)', () => {
  test.each(models.map((reference) => [reference.name, reference] as const))('%s', (name, reference) => {
    const { imageShape, classes, batch } = reference;
    const model = createModel(modelOptions.parse({ name }), { classes, imageShape });
    expect(Object.fromEntries(model.weights.map(({ name, shape }) => [name, [...shape]]))).toEqual(reference.weights);
    tf.tidy(() => {
      const weights: NamedTensors = Object.fromEntries(
        model.weights.map(({ name, shape }) => [name, tf.tensor(referenceWeight(name, shape), [...shape])]),
      );
      const size = imageShape.reduce((a, b) => a * b, batch);
      const images = tf.tensor4d(noise('images', size), [batch, ...imageShape]);
      const forward = (training: boolean) =>
        model.forward(weights, images, { training, inputs: {}, variants: {}, atStage: (_, features) => features });
      const evaluated = forward(false).logits;
      expect(distanceTo(reference.evaluated, 'logits', evaluated.dataSync())).toBeLessThan(1e-5);
      const { logits, statistics } = forward(true);
      const distances = Object.entries(statistics).map(
        ([key, tensor]) => [distanceTo(reference.statistics[key]!, key, tensor.dataSync()), key] as const,
      );
      expect(distances).toHaveLength(Object.keys(reference.statistics).length);
      distances.push([distanceTo(reference.trained, 'logits', logits.dataSync()), 'logits']);
      const [worst, where] = distances.sort(([a], [b]) => b - a)[0]!;
      expect(worst, where).toBeLessThan(1e-4);
    });
  });
});
