import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { forwardFrom, throughStages, weightsBehind } from '../../src/models/stages.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import { randomStream } from '../../src/random.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';
import { tinyModel } from '../support/squares.ts';

beforeAll(async () => void (await loadBackend()));

const pass: Pass = { training: true, inputs: {}, variants: {}, atStage: (_, features) => features };

const models: [name: string, model: Model, side: number][] = [
  ...(
    [
      ['resnet32', 8, {}],
      ['resnet18-cifar', 8, { width: 8 }],
      ['small-cnn', 8, {}],
      ['mlp', 8, {}],
      ['mobilenet-v2', 32, { width: 0.25 }],
      ['convnext-tiny', 32, { width: 8 }],
    ] as const
  ).map(([name, side, options]): [string, Model, number] => [
    name,
    createModel(modelOptions.parse({ name, ...options }), { classes: 4, imageShape: [side, side, 3] }),
    side,
  ]),
];

const valuesOf = ({ weights }: Model): NamedTensors =>
  Object.fromEntries(
    weights.map(({ name, shape, initial }) => [name, tf.tensor(initial(randomStream(1, name)), [...shape])]),
  );

const imagesOf = (side: number): tf.Tensor => {
  const random = randomStream('images');
  return tf.tensor4d(
    Float32Array.from({ length: 3 * side * side * 3 }, () => random.normal()),
    [3, side, side, 3],
  );
};

describe.each(models)('%s', (_, model, side) => {
  test('a pass that begins behind any stage gives what the whole one gives', () => {
    tf.tidy(() => {
      const weights = valuesOf(model);
      const found: NamedTensors = {};
      const whole = model.forward(weights, imagesOf(side), {
        ...pass,
        atStage(stage, features) {
          found[stage] = features;
          return features;
        },
      });
      expect(Object.keys(found)).toEqual(model.stages);
      for (const stage of model.stages) {
        const seen: string[] = [];
        const from = { stage, features: found[stage]! };
        const outputs = forwardFrom(model.forward, weights, from, {
          ...pass,
          atStage(at, features) {
            seen.push(at);
            return features;
          },
        });
        expect(seen).toEqual(model.stages.slice(model.stages.indexOf(stage) + 1));
        expect([...outputs.logits.dataSync()]).toEqual([...whole.logits.dataSync()]);
        expect([...outputs.features.dataSync()]).toEqual([...whole.features.dataSync()]);
        const behind = new Set(weightsBehind(model, stage).map(({ name }) => name));
        // What is carried on is of those layers alone that have run.
        const statistics = Object.keys(whole.statistics).filter((name) => behind.has(name));
        expect(Object.keys(outputs.statistics).sort()).toEqual(statistics.sort());
      }
    });
  });

  test('every weight says in which stage it is used: changing it changes nothing before', () => {
    const others = model.weights.filter(({ name }) => !name.startsWith('classifier/'));
    for (const { name, stage } of others) expect(model.stages, name).toContain(stage);
    expect(weightsBehind(model, 'input')).toEqual(model.weights);
    const last = weightsBehind(model, model.stages.at(-1)!);
    expect(last.map(({ name }) => name)).toEqual(['classifier/kernel', 'classifier/bias']);
  });
});

test('a stage that there is not is refused with those that there are', async () => {
  const [, model] = models[2]!;
  expect(await messageOfError(() => weightsBehind(model, 'stage9'))).toBe(
    'expected a stage of the model behind which a pass can begin, input, stage1, stage2, stage3; got "stage9".',
  );
  const from = { stage: 'stage9', features: tf.zeros([1, 1]) };
  expect(await messageOfError(() => throughStages({ ...pass, from }, tf.zeros([1]), []))).toBe(
    'expected a stage of the model behind which a pass can begin, input; got "stage9".',
  );
});

test('a model that begins at its images all the same is refused, and one that does not say where its weights are used', async () => {
  const { forward, ...rest } = tinyModel();
  const weights = rest.weights.map(({ stage: _, ...weight }) => weight);
  const model: Model = { ...rest, weights, forward: (all, images, { from: _, ...own }) => forward(all, images, own) };
  const run = () =>
    tf.tidy(() => void forwardFrom(model.forward, valuesOf(model), { stage: 'input', features: imagesOf(8) }, pass));
  expect(await messageOfError(run)).toBe(
    'forwardFrom: expected a model that begins behind "input" where pass.from says so; it began at its images. Run the parts of the model through throughStages(pass, images, parts).',
  );
  expect(await messageOfError(() => weightsBehind(model, 'stage1'))).toBe(
    'expected weights that say in which stage they are used; "hidden/kernel" of tiny does not. Set its `stage` in the model, or in the plugin that added it.',
  );
});
