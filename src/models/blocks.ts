import { addRelu } from '../backend/kernels/index.ts';
import { tf } from '../tf.ts';
import {
  type ConvolutionOptions,
  convolutionNorm,
  convolutionNormRelu,
  joined,
  type Layer,
  sequence,
  stateless,
} from './layers.ts';
import { seam } from './seams.ts';
import type { Seam } from './types.ts';

/** What a residual block is given. */
export interface BlockOptions extends Pick<ConvolutionOptions, 'groups' | 'initial'> {
  in: number;
  /** Channels of the block's narrow convolutions; a bottleneck gives four times as many. */
  width: number;
  stride: number;
  /** Channels of a bottleneck's narrow convolutions, over `width`. Default 1. */
  narrow?: number;
}

/** Makes one residual block. */
export type Block = (name: string, options: BlockOptions) => Layer;

/** How a block's input gets to the shape of its output. */
type Shortcut = (name: string, options: ConvolutionOptions & { stride: number }) => Layer;

/** A seam of its name, ReLU included. */
const residual = (point: Seam, branch: Layer, shortcut: Layer): Layer =>
  seam(
    {
      ...joined([branch, shortcut]),
      apply: (x, flow) => addRelu(branch.apply(x, flow), shortcut.apply(x, flow)),
    },
    point,
  );

const identity = stateless((x) => x);

/** Two 3×3 convolutions (He et al. 2016). */
export const basicBlock =
  (shortcut: Shortcut): Block =>
  (name, { in: inputs, width, stride, ...rest }) =>
    residual(
      { name, in: inputs, out: width },
      sequence(
        convolutionNormRelu(`${name}/conv1`, { in: inputs, out: width, stride, ...rest }),
        convolutionNorm(`${name}/conv2`, { in: width, out: width, ...rest }),
      ),
      shortcut(name, { in: inputs, out: width, stride, ...rest }),
    );

/**
 * 1×1, 3×3 and 1×1 convolution; the stride is at the 3×3, as torchvision has it ("v1.5"), and so are groups (Xie et al. 2017).
 */
export const bottleneck =
  (shortcut: Shortcut): Block =>
  (name, { in: inputs, width, stride, narrow = 1, groups = 1, ...rest }) =>
    residual(
      { name, in: inputs, out: 4 * width },
      sequence(
        convolutionNormRelu(`${name}/conv1`, { in: inputs, out: width * narrow, size: 1, ...rest }),
        convolutionNormRelu(`${name}/conv2`, { in: width * narrow, out: width * narrow, stride, groups, ...rest }),
        convolutionNorm(`${name}/conv3`, { in: width * narrow, out: 4 * width, size: 1, ...rest }),
      ),
      shortcut(name, { in: inputs, out: 4 * width, stride, ...rest }),
    );

/** Option B of He et al.: where the shape changes, a 1×1 convolution with batch norm. */
export const projection: Shortcut = (name, { in: inputs, out, stride, ...rest }) =>
  stride === 1 && inputs === out
    ? identity
    : convolutionNorm(`${name}/shortcut`, { in: inputs, out, size: 1, stride, ...rest });

/**
 * Option A of He et al.: where the shape changes, every second pixel, with channels of zeros on both sides.
 * An average over one pixel is what tfjs can take every second pixel with and has a gradient for.
 */
export const subsampling: Shortcut = (_, { in: inputs, out, stride }) => {
  if (stride === 1 && inputs === out) return identity;
  const before = Math.floor((out - inputs) / 2);
  return stateless((x) =>
    tf.pad(stride === 1 ? x : x.avgPool(1, stride, 'valid'), [
      [0, 0],
      [0, 0],
      [0, 0],
      [before, out - inputs - before],
    ]),
  );
};
