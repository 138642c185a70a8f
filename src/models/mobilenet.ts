import { tf } from '../tf.ts';
import { kaimingNormal, uniform } from './init.ts';
import { convolutionNorm, depthwiseNorm, type Layer, residual, sequence, stateless } from './layers.ts';
import { blocks, type NetworkOptions, network } from './network.ts';
import { seam } from './seams.ts';
import type { Model, Task } from './types.ts';

/** Options of {@link mobileNetV2}. */
export interface MobileNetOptions {
  /** Multiplies all channels. */
  width: number;
  head: NetworkOptions['head'];
}

/** Sandler et al. 2018, table 2: expansion, channels, blocks and first stride of each stage. */
export const mobileStages = [
  { factor: 1, channels: 16, count: 1, stride: 1 },
  { factor: 6, channels: 24, count: 2, stride: 2 },
  { factor: 6, channels: 32, count: 3, stride: 2 },
  { factor: 6, channels: 64, count: 4, stride: 2 },
  { factor: 6, channels: 96, count: 3, stride: 1 },
  { factor: 6, channels: 160, count: 3, stride: 2 },
  { factor: 6, channels: 320, count: 1, stride: 1 },
] as const;

const clip = stateless((x) => tf.relu6(x));

const initial = (shape: readonly number[], fans: { out: number }) => kaimingNormal(shape, fans.out);

/** 1×1 convolution that widens, depthwise 3×3, 1×1 that narrows, without an activation; the input is added to one of its shape. */
function invertedResidual(name: string, options: { in: number; out: number; factor: number; stride: number }): Layer {
  const { in: inputs, out, factor, stride } = options;
  const hidden = inputs * factor;
  const branch = sequence(
    ...(factor > 1 ? [convolutionNorm(`${name}/expand`, { in: inputs, out: hidden, size: 1, initial }), clip] : []),
    depthwiseNorm(`${name}/depthwise`, { channels: hidden, stride, initial }),
    clip,
    convolutionNorm(`${name}/project`, { in: hidden, out, size: 1, initial }),
  );
  const isResidual = stride === 1 && inputs === out;
  return seam(isResidual ? residual(branch) : branch, { name, in: inputs, out });
}

/**
 * MobileNetV2 (Sandler et al. 2018), torchvision's: inverted residuals, ReLU6, 1,280 features, kernels Kaiming-normal of the
 * fan-out. torchvision drops a fifth of the features in training; nothing is dropped here.
 */
export function mobileNetV2({ width, head }: MobileNetOptions, { classes, imageShape }: Task): Model {
  const channelsOf = (channels: number): number => multipleOf8(channels * width);
  const first = channelsOf(32);
  const last = multipleOf8(1280 * Math.max(1, width));
  const stem = sequence(convolutionNorm('stem', { in: imageShape[2], out: first, stride: 2, initial }), clip);
  const stages = mobileStages.map(({ factor, channels, count, stride }, i) => {
    const before = i === 0 ? first : channelsOf(mobileStages[i - 1]!.channels);
    const out = channelsOf(channels);
    return blocks(`stage${i + 1}`, count, (name, { first: isFirst }) =>
      invertedResidual(name, { in: isFirst ? before : out, out, factor, stride: isFirst ? stride : 1 }),
    );
  });
  const top = sequence(convolutionNorm('last', { in: channelsOf(320), out: last, size: 1, initial }), clip);
  return network({
    name: 'mobilenet-v2',
    stages: [sequence(stem, stages[0]!), ...stages.slice(1, -1), sequence(stages.at(-1)!, top)],
    channels: last,
    head: { ...head, initial: uniform },
    classes,
  });
}

/** Rounded to a multiple of 8, to no less than nine tenths. */
function multipleOf8(channels: number): number {
  const rounded = Math.max(8, Math.floor(Math.trunc(channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}
