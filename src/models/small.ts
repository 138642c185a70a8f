import { relu } from '../backend/kernels/index.ts';
import { tf } from '../tf.ts';
import { classifier } from './heads.ts';
import { constant, kaimingNormal } from './init.ts';
import { convolutionNormRelu, sequence, stateless } from './layers.ts';
import { type NetworkOptions, network, type Task } from './network.ts';
import type { Model, WeightSpec } from './types.ts';

/** Options of {@link smallCnn}; `width` is the number of channels of the first stage. */
export interface SmallCnnOptions {
  width: number;
  head: NetworkOptions['head'];
}

/** Three stages of one convolution, with batch norm, ReLU and a 2×2 maximum after the first two. Quick on any backend. */
export function smallCnn({ width, head }: SmallCnnOptions, { classes, imageShape }: Task): Model {
  const stage = (name: string, inputs: number, out: number) =>
    convolutionNormRelu(`${name}/conv1`, { in: inputs, out });
  const halve = stateless((x) => tf.maxPool(x, 2, 2, 'valid'));
  return network({
    name: 'small-cnn',
    stages: [
      sequence(stage('stage1', imageShape[2], width), halve),
      sequence(stage('stage2', width, 2 * width), halve),
      stage('stage3', 2 * width, 4 * width),
    ],
    channels: 4 * width,
    head,
    classes,
  });
}

/** Options of {@link mlp}. */
export interface MlpOptions {
  /** Units of each hidden layer. */
  width: number;
  /** Number of hidden layers. */
  depth: number;
  head: NetworkOptions['head'];
}

/** Fully connected ReLU layers on the pixels; a stage ends with each. */
export function mlp({ width, depth, head: headOptions }: MlpOptions, { classes, imageShape }: Task): Model {
  const pixels = imageShape[0] * imageShape[1] * imageShape[2];
  const layers = Array.from({ length: depth }, (_, i) => {
    const shape = [i === 0 ? pixels : width, width] as const;
    const kernel: WeightSpec = {
      name: `stage${i + 1}/kernel`,
      shape,
      kind: 'kernel',
      initial: kaimingNormal(shape, shape[0]),
    };
    const bias: WeightSpec = {
      name: `stage${i + 1}/bias`,
      shape: [width],
      kind: 'bias',
      initial: constant([width], 0),
    };
    return { stage: `stage${i + 1}`, kernel, bias };
  });
  const head = classifier({ ...headOptions, inputs: width, classes });
  return {
    name: 'mlp',
    weights: [...layers.flatMap(({ kernel, bias }) => [kernel, bias]), ...head.weights],
    stages: ['input', ...layers.map(({ stage }) => stage)],
    featureSize: width,
    head: head.kind,
    forward(weights, images, pass) {
      const input = pass.atStage('input', images);
      const features = layers.reduce<tf.Tensor>(
        (x, { stage, kernel, bias }) =>
          pass.atStage(stage, relu(tf.matMul(x, weights[kernel.name]!).add(weights[bias.name]!))),
        input.reshape([input.shape[0]!, pixels]),
      ) as tf.Tensor2D;
      return { logits: head.apply(features, weights), features, statistics: {} };
    },
  };
}
