import { type NamedTensors, type Random, relu, tf, type WeightSpec } from 'tailmix';

/** Sizes of a projection: features, hidden units, and what comes out. */
export interface ProjectionSizes {
  features: number;
  hidden: number;
  dimension: number;
}

const EPSILON = 1e-5;

/** Uniform in ±1/√inputs, as PyTorch begins a linear layer. */
const uniform =
  (shape: readonly [number, number] | readonly [number], inputs: number) =>
  (random: Random): Float32Array => {
    const length = shape.reduce<number>((product, side) => product * side, 1);
    return Float32Array.from({ length }, () => (2 * random.uniform() - 1) / Math.sqrt(inputs));
  };

/** Random directions: `[rows, dimension]`, each row of the given length. */
export const directions =
  (rows: number, dimension: number, length = 1) =>
  (random: Random): Float32Array => {
    const drawn = Array.from({ length: rows }, () => Array.from({ length: dimension }, () => random.normal()));
    return Float32Array.from(drawn.flatMap((row) => row.map((value) => (length * value) / Math.hypot(...row))));
  };

/** Weights of a linear layer, `<prefix>/kernel` and `<prefix>/bias`. */
export function linearWeights(prefix: string, inputs: number, outputs: number): WeightSpec[] {
  return [kernelOf(`${prefix}/kernel`, [inputs, outputs]), biasOf(`${prefix}/bias`, outputs, inputs)];
}

/** `x·W + b`: `[N, inputs]` → `[N, outputs]`. */
export const linear = (prefix: string, x: tf.Tensor, weights: NamedTensors): tf.Tensor =>
  tf.matMul(x, weights[`${prefix}/kernel`]!).add(weights[`${prefix}/bias`]!);

const kernelOf = (name: string, shape: readonly [number, number]): WeightSpec => ({
  name,
  shape,
  kind: 'kernel',
  initial: uniform(shape, shape[0]),
});

const biasOf = (name: string, outputs: number, inputs: number): WeightSpec => ({
  name,
  shape: [outputs],
  kind: 'bias',
  initial: uniform([outputs], inputs),
});

/** Weights of a projection: two layers with batch norm and ReLU between them. */
export function projectionWeights(prefix: string, { features, hidden, dimension }: ProjectionSizes): WeightSpec[] {
  const filled = (name: string, value: number): WeightSpec => ({
    name: `${prefix}/${name}`,
    shape: [hidden],
    kind: 'norm',
    initial: () => new Float32Array(hidden).fill(value),
  });
  return [
    kernelOf(`${prefix}/hidden`, [features, hidden]),
    filled('scale', 1),
    filled('shift', 0),
    ...linearWeights(prefix, hidden, dimension),
  ];
}

/**
 * Rows of length 1: x·W, normalised over the rows, ReLU, ·W + b, divided by the length. It is part of the training step alone, so its
 * batch norm keeps no averages.
 *
 * @param x - `[N, features]`
 * @returns `[N, dimension]`
 */
export function project(prefix: string, x: tf.Tensor, weights: NamedTensors): tf.Tensor {
  const of = (name: string): tf.Tensor => weights[`${prefix}/${name}`]!;
  const hidden = tf.matMul(x, of('hidden'));
  const centred = hidden.sub(hidden.mean(0));
  const scaled = centred.mul(centred.square().mean(0).add(EPSILON).rsqrt());
  const out = linear(prefix, relu(scaled.mul(of('scale')).add(of('shift'))), weights);
  return out.mul(out.square().sum(1, true).maximum(1e-24).rsqrt());
}
