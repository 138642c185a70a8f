import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { softmaxCrossEntropy } from '../../src/backend/kernels/index.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { PublishedName } from '../../src/models/model-names.ts';
import { dialects } from '../../src/models/published/families.ts';
import { describePublished, readPublished } from '../../src/models/published/read.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';
import { type Description, distanceTo, noise } from './reference.ts';

/** Of test/models/published: expected.json and convnext.json, written by test/reference/published.py and published-convnext.py. */
interface Expected {
  classes: number;
  batch: number;
  imageShape: [number, number, number];
  models: {
    options: { name: PublishedName; width: number };
    file: string;
    logits: number[];
    loss: number;
    gradients: Record<string, Description>;
  }[];
}

const folder = 'test/models/published';
const read = (file: string): Expected => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as Expected;
const { classes, batch, imageShape, models: networks } = read('expected.json');
const models = [...networks, ...read('convnext.json').models];
type Case = Expected['models'][number];
const cases = models.map((one) => [`${one.options.name} from ${one.file}`, one] as const);

const modelOf = ({ options }: Pick<Case, 'options'>, of = classes): Model =>
  createModel(modelOptions.parse(options), { classes: of, imageShape });
const published = ({ options: { name }, file }: Case) => ({ name, file: `${folder}/${file}` });
const pass = (training: boolean): Pass => ({ training, inputs: {}, variants: {}, atStage: (_, features) => features });

describeNative('published weights: logits, loss and gradients as in PyTorch (float64)', () => {
  test.each(cases)('%s', async (_, reference) => {
    const model = modelOf(reference);
    const { isNewClassifier } = await describePublished(published(reference), model);
    expect(isNewClassifier).toBe(false);
    const values = await readPublished(published(reference), model, () => true);
    tf.tidy(() => {
      const weights: NamedTensors = Object.fromEntries(
        model.weights.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape])]),
      );
      const size = imageShape.reduce((a, b) => a * b, batch);
      const images = (key: string) => tf.tensor4d(noise(key, size), [batch, ...imageShape]);
      const evaluated = model.forward(weights, images('images0'), pass(false)).logits.dataSync();
      const scale = Math.max(...reference.logits.map(Math.abs));
      const apart = reference.logits.map((value, i) => Math.abs(evaluated[i]! - value) / scale);
      expect(Math.max(...apart)).toBeLessThan(1e-5);

      const labels = tf.tensor1d(
        Array.from({ length: batch }, (_, i) => (7 * i + 3) % classes),
        'int32',
      );
      const trained = model.weights.filter(({ kind }) => kind !== 'statistic').map(({ name }) => name);
      const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
        const given = { ...weights, ...Object.fromEntries(trained.map((name, i) => [name, tensors[i]!])) };
        const { logits } = model.forward(given, images('images1'), pass(true));
        return softmaxCrossEntropy(logits, labels).mean();
      })(trained.map((name) => weights[name]!));
      expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
      const [dialect] = dialects[reference.options.name];
      const distances = trained.map((name, i) => {
        const theirs = dialect!.nameOf(name);
        const gradient = reference.gradients[theirs]!;
        return { theirs, norm: gradient[0], far: gradient[0] * distanceTo(gradient, theirs, grads[i]!.dataSync()) };
      });
      expect(distances).toHaveLength(Object.keys(reference.gradients).length);
      const whole = Math.hypot(...distances.map(({ norm }) => norm));
      expect(Math.hypot(...distances.map(({ far }) => far)) / whole).toBeLessThan(1e-5);
      // Of a kernel that a batch norm after it makes up for there is next to no gradient.
      for (const { theirs, norm, far } of distances)
        expect(far / Math.max(norm, whole / 1000), theirs).toBeLessThan(1e-3);
    });
  });

  test('a run starts from a file: the backbone stays, a new head is trained, and a resumed run checks the file', async () => {
    const weights = `${folder}/resnet18.safetensors`;
    const model = { name: 'resnet18' as const, width: 2, weights, freeze: ['backbone'] };
    const options = {
      data: squares([12, 6, 4, 2], 32),
      backend: 'native',
      train: { epochs: 1, batchSize: 8 },
    } as const;
    const { snapshot } = await createTrainer({ ...options, model: { ...model, frozenNorm: 'running' } }).run();
    const net = createModel(modelOptions.parse({ name: 'resnet18', width: 2 }), {
      classes: 4,
      imageShape: [32, 32, 3],
    });
    const published = await readPublished({ name: 'resnet18', file: model.weights }, net, () => true);
    expect(Object.keys(published)).toHaveLength(100);
    for (const [name, values] of Object.entries(published)) expect(snapshot!.state[name]!.values).toEqual(values);
    expect(snapshot!.state['classifier/kernel']!.shape).toEqual([16, 4]);

    const resumed = (sha256: string, file: string = model.weights) =>
      createTrainer({
        ...options,
        model: { ...model, frozenNorm: 'running', weights: { file, sha256 } },
        train: { ...options.train, epochs: 2 },
        resume: snapshot!,
      }).run();
    expect(await messageOfError(() => resumed('f'.repeat(64)))).toMatch(/: it was changed\. Restore the file/);
    expect((await resumed('f'.repeat(64), 'moved.safetensors')).epochs).toHaveLength(2);
  });
});
