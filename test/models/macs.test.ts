import { expect, test } from 'vitest';
import { createShapeInference, trace } from '../../src/graph/index.ts';
import { macsOf } from '../../src/graph/macs.ts';
import { createModel, type ModelName, modelOptions } from '../../src/models/index.ts';
import { describeNative, signature } from '../step/captured-support.ts';
import { readReference } from './reference.ts';

const references =
  readReference<{ name: ModelName; imageShape: [number, number, number]; classes: number; macs: number }[]>(
    'macs.json',
  );

describeNative('multiply–accumulates in full size, as PyTorch counts them (test/reference/macs.py)', (use) => {
  test.each(references.map((reference) => [reference.name, reference] as const))(
    '%s',
    (name, { imageShape, classes, macs }) => {
      const model = createModel(modelOptions.parse({ name }), { classes, imageShape });
      const predict: Parameters<typeof trace>[0] = (weights, { images }) => {
        const pass = { training: false, inputs: {}, variants: {}, atStage: <T>(_: unknown, features: T) => features };
        return { state: {}, outputs: { logits: model.forward(weights, images!, pass).logits } };
      };
      const state = Object.fromEntries(
        model.weights.map(({ name, shape }) => [name, { shape, values: new Float32Array() }]),
      );
      const images = [3, ...imageShape];
      const shapes = createShapeInference(use().binding!);
      const recording = trace(predict, signature('predict', { images: [images, 'float32'] }), { shapes, state });
      expect(macsOf(recording) / 3).toBe(macs);
    },
    60_000,
  );
});
