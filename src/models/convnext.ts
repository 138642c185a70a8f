import { ofRank, type tf } from '../tf.ts';
import { constant, type Initializer, normal } from './init.ts';
import { depthwise, type Layer, layerNorm, residual, scale, sequence } from './layers.ts';
import { blocks, type NetworkOptions, network } from './network.ts';
import { seam } from './seams.ts';
import { DEVIATION, mlp } from './transformer.ts';
import type { Model, Task, WeightSpec } from './types.ts';

/** Options of {@link convNextTiny}. */
export interface ConvNextOptions {
  /** Channels of the first stage. */
  width: number;
  head: NetworkOptions['head'];
}

/** Blocks of each stage. */
const DEPTHS = [3, 3, 9, 3] as const;

/** Factors of the branches at the beginning. */
const LAYER_SCALE = 1e-6;

const EPSILON = 1e-6;

const initial = (shape: readonly number[]): Initializer => normal(shape, DEVIATION);

/**
 * ConvNeXt-T (Liu et al. 2022), timm's and torchvision's: a stem of patches, four stages of depthwise 7×7 convolutions with an
 * MLP each, layer norms, the last after the global average. torchvision drops branches in training; nothing is dropped here.
 */
export function convNextTiny({ width, head }: ConvNextOptions, { classes, imageShape }: Task): Model {
  const stages = DEPTHS.map((depth, i) => {
    const out = width * 2 ** i;
    const before = i === 0 ? stem(imageShape[2], out) : downsample(`stage${i + 1}/downsample`, out / 2, out);
    return sequence(
      before,
      blocks(`stage${i + 1}`, depth, (name) => block(name, out)),
    );
  });
  const channels = 8 * width;
  return network({
    name: 'convnext-tiny',
    stages,
    channels,
    last: layerNorm('norm', channels, EPSILON),
    head: { ...head, initial },
    classes,
  });
}

const stem = (channels: number, out: number): Layer =>
  sequence(patches('stem', { in: channels, out, side: 4 }), layerNorm('stem/norm', out, EPSILON));

const downsample = (name: string, channels: number, out: number): Layer =>
  sequence(layerNorm(`${name}/norm`, channels, EPSILON), patches(name, { in: channels, out, side: 2 }));

/** `x + γ·mlp(norm(depthwise(x)))` */
function block(name: string, width: number): Layer {
  const branch = sequence(
    biased(
      depthwise(`${name}/depthwise`, { channels: width, size: 7, stride: 1, initial }),
      `${name}/depthwise`,
      width,
    ),
    layerNorm(`${name}/norm`, width, EPSILON),
    mlp(`${name}/mlp`, { width, activation: 'gelu' }),
    scale(`${name}/scale`, width, LAYER_SCALE),
  );
  return seam(residual(branch), { name, in: width, out: width });
}

/** A linear function of each square of `side` pixels, without overlap. Kernel `[side, side, in, out]`. */
function patches(name: string, { in: inputs, out, side }: { in: number; out: number; side: number }): Layer {
  const kernel = `${name}/kernel`;
  const shape = [side, side, inputs, out] as const;
  const convolve: Layer = {
    weights: [{ name: kernel, shape, kind: 'kernel', initial: initial(shape) }],
    apply: (x, { weights }): tf.Tensor => x.conv2d(ofRank(weights[kernel], 4), side, 'valid'),
  };
  return seam(biased(convolve, name, out), { name, in: inputs, out });
}

/** With a bias, `<name>/bias`. */
function biased(layer: Layer, name: string, channels: number): Layer {
  const bias = `${name}/bias`;
  const spec: WeightSpec = { name: bias, shape: [channels], kind: 'bias', initial: constant([channels], 0) };
  return {
    ...layer,
    weights: [...layer.weights, spec],
    apply: (x, flow) => layer.apply(x, flow).add(flow.weights[bias]!),
  };
}
