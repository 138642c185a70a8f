import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';

/** What a small MobileNet is made with. */
interface MobileOptions {
  /** Share that is dropped before the classifier. */
  dropout?: number;
  /** Whether it ends in a softmax over 7 classes, or in the average over its last maps. */
  top?: boolean;
  regularizer?: boolean;
  /** Side of the images; null takes any. */
  side?: number | null;
}

/**
 * A MobileNet for images of 16×16 (Howard et al. 2017): a strided stem, two depthwise-separable blocks with a residual
 * around the second, batch norms with averages away from 0 and 1.
 */
export function mobileNet({
  dropout = 0,
  top = true,
  regularizer = false,
  side = 16,
}: MobileOptions = {}): tf.LayersModel {
  const { layers } = tf;
  const norm = (name: string, x: tf.SymbolicTensor): tf.SymbolicTensor => {
    const normed = layers.batchNormalization({ name: `${name}_bn`, momentum: 0.9 }).apply(x);
    return layers.reLU({ name: `${name}_relu`, maxValue: 6 }).apply(normed) as tf.SymbolicTensor;
  };
  const block = (name: string, x: tf.SymbolicTensor, filters: number, strides: number): tf.SymbolicTensor => {
    const depthwise = layers
      .depthwiseConv2d({ name: `${name}_dw`, kernelSize: 3, strides, padding: 'same', useBias: false })
      .apply(x) as tf.SymbolicTensor;
    const pointwise = layers
      .conv2d({ name: `${name}_pw`, kernelSize: 1, filters, useBias: false })
      .apply(norm(`${name}_dw`, depthwise)) as tf.SymbolicTensor;
    return norm(`${name}_pw`, pointwise);
  };
  const input = tf.input({ shape: [side, side, 3], name: 'images' });
  const stem = layers
    .conv2d({
      name: 'stem',
      kernelSize: 3,
      filters: 8,
      strides: 2,
      padding: 'same',
      useBias: false,
      ...(regularizer && { kernelRegularizer: tf.regularizers.l2({ l2: 1e-4 }) }),
    })
    .apply(input) as tf.SymbolicTensor;
  const first = block('block1', norm('stem', stem), 12, 2);
  const second = layers.add({ name: 'block2_add' }).apply([first, block('block2', first, 12, 1)]) as tf.SymbolicTensor;
  const pooled = layers.globalAveragePooling2d({ name: 'pool', dataFormat: 'channelsLast' }).apply(second);
  const kept = dropout > 0 ? layers.dropout({ name: 'drop', rate: dropout }).apply(pooled) : pooled;
  const logits = layers.dense({ name: 'logits', units: 7 }).apply(kept);
  const softmax = layers.softmax({ name: 'softmax' }).apply(logits) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs: top ? softmax : (kept as tf.SymbolicTensor), name: 'mobile' });
  for (const variable of model.weights) variable.write(tf.tensor(valuesOf(variable), variable.shape as number[]));
  return model;
}

/** The same numbers wherever the model is made; tfjs's own initial values are drawn. */
function valuesOf({ originalName, shape }: tf.LayerVariable): Float32Array {
  const random = randomStream('mobile', originalName);
  const size = (shape as number[]).reduce((a, b) => a * b, 1);
  const [centre, spread] = /variance$/.test(originalName)
    ? [1, 0.1]
    : /gamma$/.test(originalName)
      ? [1, 0.2]
      : /(mean|beta|bias)$/.test(originalName)
        ? [0, 0.2]
        : [0, 0.5];
  return Float32Array.from({ length: size }, () => centre + spread * random.normal());
}

/** Writes a model as tfjs does, in two weight files; gives the path of its `model.json`. */
export async function saveModel(model: tf.LayersModel, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await model.save(
    tf.io.withSaveHandler(async ({ weightData, weightSpecs, ...rest }) => {
      const bytes = new Uint8Array(weightData as ArrayBuffer);
      const half = Math.floor(bytes.length / 2);
      const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
      await writeFile(join(folder, paths[0]!), bytes.subarray(0, half));
      await writeFile(join(folder, paths[1]!), bytes.subarray(half));
      const weightsManifest = [{ paths, weights: weightSpecs }];
      await writeFile(join(folder, 'model.json'), JSON.stringify({ ...rest, weightsManifest }));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  return join(folder, 'model.json');
}
