import { batchNorm, groupedConvolution, layerNorm as normaliseRows, relu } from '../backend/kernels/index.ts';
import type { NamedTensors } from '../tf.ts';
import { ofRank, tf } from '../tf.ts';
import { constant, type Initializer, kaimingNormal } from './init.ts';
import { seam } from './seams.ts';
import type { Pass, Seam, WeightSpec } from './types.ts';

/** One forward pass under way: weights go in, next statistics come out. */
export interface Flow {
  weights: NamedTensors;
  training: boolean;
  /** See {@link Pass.fixed}. */
  fixed?: ReadonlySet<string> | undefined;
  /** See {@link Pass.at}. */
  at?: Pass['at'];
  /** See {@link Pass.across}. */
  across?: Pass['across'];
  /** See {@link Pass.momentum}. */
  momentum?: Pass['momentum'];
  /** Filled by the layers, by weight name. */
  statistics: NamedTensors;
}

/** Begins a forward pass. */
export const startFlow = (weights: NamedTensors, { training, fixed, at, across, momentum }: Pass): Flow => ({
  weights,
  training,
  fixed,
  at,
  across,
  momentum,
  statistics: {},
});

/** A piece of a network: what it carries and what it does to `[batch, height, width, channels]`. */
export interface Layer {
  weights: readonly WeightSpec[];
  /** Parts of it that may be wrapped, in the order of the forward pass. */
  seams?: readonly Seam[];
  apply(x: tf.Tensor, flow: Flow): tf.Tensor;
}

/** Weights and seams of layers that make one. */
export const joined = (layers: readonly Layer[]): Pick<Layer, 'weights' | 'seams'> => ({
  weights: layers.flatMap(({ weights }) => weights),
  seams: layers.flatMap(({ seams = [] }) => seams),
});

/** One layer after another. */
export const sequence = (...layers: readonly Layer[]): Layer => ({
  ...joined(layers),
  apply: (x, flow) => layers.reduce((y, layer) => layer.apply(y, flow), x),
});

/** A layer without weights. */
export const stateless = (apply: (x: tf.Tensor) => tf.Tensor): Layer => ({ weights: [], apply: (x) => apply(x) });

export const rectify: Layer = stateless(relu);

/** The input is added to what the branch makes of it. */
export const residual = (branch: Layer): Layer => ({
  ...branch,
  apply: (x, flow) => x.add(branch.apply(x, flow)),
});

/** Multiplies channels by a vector, `[width]`, whose values are equal at first. */
export function scale(name: string, width: number, value: number): Layer {
  const spec: WeightSpec = { name, shape: [width], kind: 'norm', initial: constant([width], value) };
  return { weights: [spec], apply: (x, { weights }) => x.mul(weights[name]!) };
}

/** Options of {@link convolution}. */
export interface ConvolutionOptions {
  in: number;
  out: number;
  /** Side of the square kernel, odd. Default 3. */
  size?: number;
  /** Default 1. */
  stride?: number;
  /** Groups of channels, each with filters of its own. Default 1. */
  groups?: number;
  /** Given shape, fan-in and fan-out. Default: {@link kaimingNormal} of the fan-in. */
  initial?: (shape: readonly number[], fans: { in: number; out: number }) => Initializer;
}

/**
 * Convolution without bias, padded by `(size − 1) / 2` zeros on all four sides as PyTorch does, also for stride 2,
 * where TensorFlow's `SAME` pads right and bottom alone. Kernel `[size, size, in / groups, out]`.
 */
export function convolution(
  name: string,
  { in: inputs, out, size = 3, stride = 1, groups = 1, initial }: ConvolutionOptions,
): Layer {
  const kernel = `${name}/kernel`;
  const shape = [size, size, inputs / groups, out] as const;
  const fans = { in: (size * size * inputs) / groups, out: size * size * out };
  return {
    weights: [
      { name: kernel, shape, kind: 'kernel', initial: initial?.(shape, fans) ?? kaimingNormal(shape, fans.in) },
    ],
    apply(x, { weights }) {
      const filter = ofRank(weights[kernel], 4);
      if (groups > 1)
        return stride === 1
          ? groupedConvolution(x, filter, { stride, pad: 'same' })
          : groupedConvolution(padded(x, size, stride), filter, { stride, pad: 'valid' });
      return stride === 1 ? x.conv2d(filter, 1, 'same') : padded(x, size, stride).conv2d(filter, stride, 'valid');
    },
  };
}

/** Options of {@link depthwise}. */
export interface DepthwiseOptions extends Required<Pick<ConvolutionOptions, 'initial' | 'size' | 'stride'>> {
  channels: number;
}

/** Convolution of each channel by itself, padded as {@link convolution} pads. Kernel `[size, size, channels, 1]`. */
export function depthwise(name: string, { channels, size, stride, initial }: DepthwiseOptions): Layer {
  const kernel = `${name}/kernel`;
  const shape = [size, size, channels, 1] as const;
  const fans = { in: size * size, out: size * size * channels };
  return {
    weights: [{ name: kernel, shape, kind: 'kernel', initial: initial(shape, fans) }],
    apply(x, { weights }) {
      const filter = ofRank(weights[kernel], 4);
      const input = ofRank(x, 4);
      return stride === 1
        ? tf.depthwiseConv2d(input, filter, 1, 'same')
        : tf.depthwiseConv2d(ofRank(padded(x, size, stride), 4), filter, stride, 'valid');
    },
  };
}

/** 3×3 {@link depthwise} convolution and batch norm; a seam of that name. */
export const depthwiseNorm = (name: string, options: Omit<DepthwiseOptions, 'size'>): Layer =>
  seam(sequence(depthwise(name, { ...options, size: 3 }), norm(`${name}/norm`, options.channels)), {
    name,
    in: options.channels,
    out: options.channels,
  });

/**
 * Zeros on all four sides, without those that no window reaches. A step of its own: TensorFlow's fast kernels refuse
 * explicit padding in gradients.
 */
function padded(x: tf.Tensor, size: number, stride: number): tf.Tensor {
  const pad = (size - 1) / 2;
  const sides = (length: number): [number, number] => {
    const reach = Math.floor((length - 1) / stride) * stride + size;
    return [pad, Math.max(0, reach - length - pad)];
  };
  return pad === 0 ? x : tf.pad(x, [[0, 0], sides(x.shape[1]!), sides(x.shape[2]!), [0, 0]]);
}

/** Batch normalisation with PyTorch's momentum (0.1) and epsilon (1e-5). Everything is `[channels]`. */
export function norm(name: string, channels: number): Layer {
  const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((part) => `${name}/${part}`) as [
    string,
    string,
    string,
    string,
  ];
  const spec = (weight: string, kind: WeightSpec['kind'], value: number): WeightSpec => ({
    name: weight,
    shape: [channels],
    kind,
    initial: constant([channels], value),
  });
  return {
    weights: [
      spec(scale, 'norm', 1),
      spec(shift, 'norm', 0),
      spec(mean, 'statistic', 0),
      spec(variance, 'statistic', 1),
    ],
    apply(x, { weights, training: inTraining, fixed, across, momentum, statistics }) {
      const training = inTraining && !fixed?.has(mean);
      const vector = (weight: string): tf.Tensor => weights[weight]!;
      const result = batchNorm(x, vector(scale), vector(shift), vector(mean), vector(variance), {
        training,
        across,
        momentum,
      });
      if (training) {
        statistics[mean] = result.mean;
        statistics[variance] = result.variance;
      }
      return result.y;
    },
  };
}

/** Convolution and batch norm: `<name>/kernel`, `<name>/norm/scale` and so on; a seam of that name. */
export const convolutionNorm = (name: string, options: ConvolutionOptions): Layer =>
  seam(sequence(convolution(name, options), norm(`${name}/norm`, options.out)), {
    name,
    in: options.in,
    out: options.out,
  });

/** {@link convolutionNorm}, then ReLU. */
export const convolutionNormRelu = (name: string, options: ConvolutionOptions): Layer =>
  sequence(convolutionNorm(name, options), rectify);

/** Layer normalisation over channels, of an input of any rank: `<name>/scale` and `<name>/shift`, both `[channels]`. */
export function layerNorm(name: string, channels: number, epsilon = 1e-6): Layer {
  const [scale, shift] = [`${name}/scale`, `${name}/shift`];
  const spec = (weight: string, value: number): WeightSpec => ({
    name: weight,
    shape: [channels],
    kind: 'norm',
    initial: constant([channels], value),
  });
  const layer: Layer = {
    weights: [spec(scale, 1), spec(shift, 0)],
    apply: (x, { weights }) => normaliseRows(x, weights[scale]!, weights[shift]!, epsilon),
  };
  return seam(layer, { name, in: channels, out: channels });
}
