import { relu } from '../backend/kernels/index.ts';
import type { tf } from '../tf.ts';
import { classifier, type Head } from './heads.ts';
import { constant, kaimingNormal } from './init.ts';
import { convolutionNormRelu, startFlow } from './layers.ts';
import type { NetworkOptions } from './network.ts';
import { ofStage, type Parts, throughStages } from './stages.ts';
import type { Model, Task } from './types.ts';

/** Options of {@link smallCnn}; `width` is the number of channels of the first stage. */
export interface SmallCnnOptions {
  width: number;
  head: NetworkOptions['head'];
}

/**
 * 5×5 and 3×3 convolutions with stride 2 and batch norm, then a dense layer: quick on any backend, and unlike an average
 * over the image it keeps where a stroke was. A stage ends with each; the last gives the features.
 */
export function smallCnn({ width, head: headOptions }: SmallCnnOptions, { classes, imageShape }: Task): Model {
  const [rows, columns, channels] = imageShape;
  const quarter = (pixels: number): number => Math.ceil(Math.ceil(pixels / 2) / 2);
  const convolutions = [
    convolutionNormRelu('stage1/conv1', { in: channels, out: width, size: 5, stride: 2 }),
    convolutionNormRelu('stage2/conv1', { in: width, out: 2 * width, stride: 2 }),
  ];
  const hidden = dense('stage3', quarter(rows) * quarter(columns) * 2 * width, 4 * width);
  const head = classifier({ ...headOptions, inputs: 4 * width, classes });
  return {
    name: 'small-cnn',
    weights: [
      ...convolutions.flatMap(({ weights }, i) => ofStage(`stage${i + 1}`, weights)),
      ...ofStage('stage3', hidden.weights),
      ...head.weights,
    ],
    seams: convolutions.flatMap(({ seams = [] }) => seams),
    stages: ['input', 'stage1', 'stage2', 'stage3'],
    featureSize: 4 * width,
    head: head.kind,
    forward(weights, images, pass) {
      const flow = startFlow(weights, pass);
      const features = throughStages(pass, images, [
        ...convolutions.map(({ apply }, i): Parts[number] => [`stage${i + 1}`, (x) => apply(x, flow)]),
        ['stage3', (maps) => hidden.apply(flatten(maps), weights)],
      ]);
      return { logits: head.apply(features, weights), features, statistics: flow.statistics };
    },
  };
}

/** Options of {@link mlp}. */
export interface MlpOptions {
  /** Units of each hidden layer. */
  width: number;
  /** Number of hidden layers. */
  depth: number;
  head: NetworkOptions['head'];
}

/** Fully connected ReLU layers on the pixels; a stage ends with each, the last gives the features. */
export function mlp({ width, depth, head: headOptions }: MlpOptions, { classes, imageShape }: Task): Model {
  const pixels = imageShape[0] * imageShape[1] * imageShape[2];
  const layers = Array.from({ length: depth }, (_, i) => dense(`stage${i + 1}`, i === 0 ? pixels : width, width));
  const head = classifier({ ...headOptions, inputs: width, classes });
  return {
    name: 'mlp',
    weights: [...layers.flatMap((layer, i) => ofStage(`stage${i + 1}`, layer.weights)), ...head.weights],
    stages: ['input', ...layers.map((_, i) => `stage${i + 1}`)],
    featureSize: width,
    head: head.kind,
    forward(weights, images, pass) {
      const features = throughStages(
        pass,
        images,
        layers.map((layer, i) => [`stage${i + 1}`, (x) => layer.apply(i === 0 ? flatten(x) : x, weights)]),
      );
      return { logits: head.apply(features, weights), features, statistics: {} };
    },
  };
}

const flatten = (x: tf.Tensor): tf.Tensor => x.reshape([x.shape[0]!, -1]);

/** `relu(x·W + b)`; kernel `[inputs, units]`, Kaiming-normal, bias zeros. */
function dense(name: string, inputs: number, units: number): Omit<Head, 'kind'> {
  const [kernel, bias] = [`${name}/kernel`, `${name}/bias`];
  const shape = [inputs, units] as const;
  return {
    weights: [
      { name: kernel, shape, kind: 'kernel', initial: kaimingNormal(shape, inputs) },
      { name: bias, shape: [units], kind: 'bias', initial: constant([units], 0) },
    ],
    apply: (x, weights) => relu(x.matMul(weights[kernel]!).add(weights[bias]!)),
  };
}
