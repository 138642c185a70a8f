import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { softmaxCrossEntropy } from '../../src/backend/kernels/index.ts';
import { createModel, type ModelOptions, modelOptions } from '../../src/models/index.ts';
import type { PublishedName } from '../../src/models/model-names.ts';
import { dialects } from '../../src/models/published/families.ts';
import { withForm } from '../../src/models/published/form.ts';
import { matchWeights } from '../../src/models/published/match.ts';
import { nearestNetwork } from '../../src/models/published/nearest.ts';
import { describePublished, readPublished } from '../../src/models/published/read.ts';
import { resampleGrid } from '../../src/models/published/resample-grid.ts';
import { formOf } from '../../src/models/published/vit.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import type { ArrayInfo } from '../../src/weights/types.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { type Description, distanceTo, noise } from './reference.ts';

/** test/models/published/vit.json, written by test/reference/published-vit.py. */
interface Expected {
  classes: number;
  batch: number;
  models: {
    options: { name: PublishedName; width: number; depth: number; activation?: 'quick-gelu' };
    file: string;
    side: number;
    logits: number[];
    loss: number;
    /** The classifier, where the file has none. */
    head?: { weight: number[]; bias: number[] };
    gradients: Record<string, Description>;
  }[];
  resampled: { to: [number, number]; values: number[] }[];
}

/** test/models/published/vit-names.json */
interface FullSize {
  models: { from: string; name: PublishedName; blocks: number; arrays: Record<string, number[]> }[];
}

const folder = 'test/models/published';
const read = <T>(file: string): T => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as T;
const { classes, batch, models, resampled } = read<Expected>('vit.json');
type Case = Expected['models'][number];

const pass: Pass = { training: true, inputs: {}, variants: {}, atStage: (_, features) => features };
const fileOf = ({ file }: Pick<Case, 'file'>): string => `${folder}/${file}`;

async function modelOf({ options, side, file }: Pick<Case, 'options' | 'side' | 'file'>): Promise<Model> {
  const section = await withForm(modelOptions.parse({ ...options, weights: fileOf({ file }) }));
  return createModel(section as ModelOptions, { classes, imageShape: [side, side, 3] });
}

async function weightsOf(reference: Case, model: Model): Promise<NamedTensors> {
  const source = { name: reference.options.name, file: fileOf(reference) };
  const { isNewClassifier } = await describePublished(source, model);
  expect(isNewClassifier).toBe(reference.head !== undefined);
  const values = await readPublished(source, model, () => true);
  return Object.fromEntries(
    model.weights.map(({ name, shape }) => {
      if (name === 'classifier/kernel' && reference.head)
        return [name, tf.tensor2d(reference.head.weight, [classes, shape[0]!]).transpose()];
      if (name === 'classifier/bias' && reference.head) return [name, tf.tensor1d(reference.head.bias)];
      return [name, tf.tensor(values[name]!, [...shape])];
    }),
  );
}

describeNative('Vision Transformers from files: logits, loss and gradients as in timm (float64)', () => {
  test.each(models.map((one) => [one.file, one] as const))('%s', async (_, reference) => {
    const model = await modelOf(reference);
    const weights = await weightsOf(reference, model);
    tf.tidy(() => {
      const shape = [batch, reference.side, reference.side, 3] as [number, number, number, number];
      const images = tf.tensor4d(noise(`vit${reference.side}`, sizeOf(shape)), shape);
      const labels = tf.tensor1d(
        Array.from({ length: batch }, (_, i) => (7 * i + 3) % classes),
        'int32',
      );
      const names = model.weights.map(({ name }) => name);
      const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
        const given = Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
        const { logits } = model.forward(given, images, pass);
        const scale = Math.max(...reference.logits.map(Math.abs));
        const found = logits.dataSync();
        expect(Math.max(...reference.logits.map((one, i) => Math.abs(found[i]! - one) / scale))).toBeLessThan(1e-5);
        return softmaxCrossEntropy(logits, labels).mean();
      })(names.map((name) => weights[name]!));
      expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
      expect(Object.keys(reference.gradients).sort()).toEqual([...names].sort());
      const distances = names.map((name, i) => {
        const gradient = reference.gradients[name]!;
        return { name, norm: gradient[0], far: gradient[0] * distanceTo(gradient, name, grads[i]!.dataSync()) };
      });
      const whole = Math.hypot(...distances.map(({ norm }) => norm));
      expect(Math.hypot(...distances.map(({ far }) => far)) / whole).toBeLessThan(1e-5);
      // The bias of keys has no gradient: softmax takes it away.
      for (const { name, norm, far } of distances) expect(far / Math.max(norm, whole / 1000), name).toBeLessThan(1e-4);
    });
    tf.dispose(weights);
  });
});

describe('published Vision Transformers', () => {
  test.each(read<FullSize>('vit-names.json').models.map((one) => [one.from, one] as const))(
    'names and shapes of %s',
    (_, { name, blocks, arrays: listed }) => {
      const arrays = new Map<string, ArrayInfo>();
      for (const [array, shape] of Object.entries(listed)) {
        const isOfBlock = /(blocks\.|layer_|layer\.)0\./.test(array);
        for (let i = 0; i < (isOfBlock ? blocks : 1); i++)
          arrays.set(array.replace(/(blocks\.|layer_|layer\.)0\./, `$1${i}.`), { shape, dtype: 'F32' });
      }
      const section = modelOptions.parse({ name, activation: 'gelu', ...formOf(arrays) });
      const model = createModel(section, { classes: 7, imageShape: [224, 224, 3] });
      const { differences, taken } = matchWeights(model, dialects[name], arrays);
      expect(differences).toEqual([]);
      const heads = [...arrays.keys()].filter((array) => /^(head|heads\.head|classifier)\./.test(array));
      expect(new Set(taken.map(({ published }) => published)).size).toBe(arrays.size - heads.length);
      const nearest = nearestNetwork(arrays);
      expect(nearest).toMatchObject({ name, shared: nearest!.all });
    },
  );

  test.each(resampled)('positions on a grid of 3×3 are resampled to $to as timm does it', ({ to, values }) => {
    const found = resampleGrid(noise('grid', 18), [3, 3], to);
    expect(Math.max(...values.map((value, i) => Math.abs(value - found[i]!)))).toBeLessThan(1e-6);
  });

  test('what the file does not show has to be said, and what contradicts it is an error', async () => {
    const clip = models.find(({ file }) => file === 'vit-clip.pth')!;
    const { activation: _, ...options } = clip.options;
    expect(await messageOfError(() => modelOf({ ...clip, options }))).toMatchInlineSnapshot(
      `"model.activation: expected gelu or quick-gelu for vit-tiny-16 with CLIP’s form; a file of weights does not show which. OpenAI’s own weights need quick-gelu, those of LAION and most others gelu."`,
    );
    const plain = models.find(({ file }) => file === 'vit-tiny.safetensors')!;
    const source = { name: plain.options.name, file: fileOf(plain) };
    const contradicted = async (more: object) => {
      const model = await modelOf({ ...plain, options: { ...plain.options, ...more } });
      return (await messageOfError(() => describePublished(source, model))).replace(/ Weights of .*/, '');
    };
    expect(await contradicted({ classPosition: false, layerScale: true })).toMatchInlineSnapshot(`
      "model.weights: test/models/published/vit-tiny.safetensors: expected the weights of vit-tiny-16 as it is here.
        missing: blocks.0.ls1.gamma [24], blocks.0.ls2.gamma [24], blocks.1.ls1.gamma [24] and 1 more
        different: pos_embed (expected [1, 16, 24], got [1, 26, 24])
        The nearest known network is vit-tiny-16 (30 of 150 names), and this variant of it is not supported."
    `);
    expect(await contradicted({ depth: 1 })).toMatchInlineSnapshot(`
      "model.weights: test/models/published/vit-tiny.safetensors: expected the weights of vit-tiny-16 as it is here.
        left over: blocks.1.attn.proj.bias [24], blocks.1.attn.proj.weight [24, 24], blocks.1.attn.qkv.bias [72] and 9 more
        The nearest known network is vit-tiny-16 (30 of 150 names), and this variant of it is not supported."
    `);
  });
});
