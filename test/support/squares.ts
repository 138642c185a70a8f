import { subsetOf } from '../../src/data/subset.ts';
import type { LoadedData, Split } from '../../src/data/types.ts';
import { ofStage, throughStages } from '../../src/models/stages.ts';
import type { Model } from '../../src/models/types.ts';
import { randomStream } from '../../src/random.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';

const classes = ['a', 'b', 'c', 'd'];

/** A long tail of noisy one-coloured squares: `counts` training images per class, five test images of each. */
export function squares(counts: readonly number[] = [20, 9, 4, 2], side = 8): LoadedData {
  const shape: [number, number, number] = [side, side, 3];
  const size = side * side * 3;
  const split = (name: Split['name'], perClass: readonly number[]): Split => {
    const labels = Int32Array.from(perClass.flatMap((count, label) => new Array<number>(count).fill(label)));
    const bytes = new Uint8Array(new SharedArrayBuffer(labels.length * size));
    const random = randomStream('squares', name);
    labels.forEach((label, image) => {
      for (let i = 0; i < size; i++) {
        const colour = (label >> (i % 3)) & 1 ? 160 : 90;
        bytes[image * size + i] = colour + random.integer(60);
      }
    });
    return { name, labels, pixels: { kind: 'memory', bytes: bytes.buffer as SharedArrayBuffer } };
  };
  const all = (part: Split) => subsetOf(part, Int32Array.from(part.labels.keys()), classes.length);
  return {
    info: { name: 'squares', classes, shape, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    train: all(split('train', counts)),
    validation: null,
    test: all(split('test', [5, 5, 5, 5])),
    augment: [{ name: 'flip', probability: 0.5 }],
    skipped: [],
  };
}

/** Two dense layers with a batch average as statistic: the smallest model with a hidden stage and state. */
export function tinyModel(classCount = 4, hidden = 8): Model {
  const inputs = 8 * 8 * 3;
  const normal = (length: number, deviation: number) => (random: ReturnType<typeof randomStream>) =>
    Float32Array.from({ length }, () => deviation * random.normal());
  return {
    name: 'tiny',
    stages: ['input', 'stage1'],
    featureSize: hidden,
    weights: [
      ...ofStage('stage1', [
        { name: 'hidden/kernel', shape: [inputs, hidden], kind: 'kernel', initial: normal(inputs * hidden, 0.1) },
        { name: 'hidden/mean', shape: [hidden], kind: 'statistic', initial: () => new Float32Array(hidden) },
      ]),
      {
        name: 'classifier/kernel',
        shape: [hidden, classCount],
        kind: 'kernel',
        initial: normal(hidden * classCount, 0.5),
      },
      { name: 'classifier/bias', shape: [classCount], kind: 'bias', initial: () => new Float32Array(classCount) },
    ],
    forward(weights, images, pass) {
      const mean = weights['hidden/mean']!;
      const statistics: NamedTensors = {};
      const hiddenLayer = (x: tf.Tensor): tf.Tensor => {
        const product = tf.matMul(x.reshape([x.shape[0]!, -1]), weights['hidden/kernel']!);
        if (pass.training) statistics['hidden/mean'] = mean.mul(0.9).add(product.mean(0).mul(0.1));
        return product.sub(pass.training ? product.mean(0) : mean).relu();
      };
      const features = throughStages(pass, images, [['stage1', hiddenLayer]]);
      const logits = tf.matMul(features, weights['classifier/kernel']!).add(weights['classifier/bias']!);
      return { logits, features, statistics };
    },
  };
}
