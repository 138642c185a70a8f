import type { Builder, Value } from '../builder.ts';
import type { Lowerings, OpCall } from '../op-call.ts';
import { aroundFilter, type Geometry, paddingsOf, spatial, undone, wide } from './geometry.ts';
import { convolve } from './products.ts';

const NHWC = '[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]';

function geometryOf(
  call: OpCall,
  input: readonly number[],
  output: readonly number[],
  filter: readonly number[],
): Geometry {
  const rank = input.length - 2;
  return {
    input: spatial(input),
    output: spatial(output),
    sizes: filter.slice(0, rank),
    strides: wide(call, 'strides', rank),
    dilations: wide(call, 'dilations', rank),
  };
}

/** Of a filter `[…, in / groups, out]` for images of so many channels. */
const groupsOf = (channels: number, filter: readonly number[]): number => channels / filter.at(-2)!;

/** `[h, w, in/g, out]` → `[h, w, out/g, in]`: what the gradient of a convolution in groups convolves with. */
function turned(b: Builder, filter: Value, groups: number): Value {
  const [h, w, channels, results] = filter.shape as [number, number, number, number];
  const parts = b.reshape(filter, [h, w, channels, groups, results / groups]);
  return b.reshape(b.transpose(parts, [0, 1, 4, 3, 2]), [h, w, results / groups, channels * groups]);
}

/** The result of a two-dimensional convolution. */
function forward(call: OpCall, x: Value, filter: Value, shape: readonly number[], geometry: Geometry): Value {
  return convolve(call, x, filter, shape, {
    dims: NHWC,
    strides: geometry.strides,
    padding: paddingsOf(call, geometry),
    dilations: [[1, 1], geometry.dilations],
    groups: groupsOf(x.shape[3]!, filter.shape),
  });
}

/** Its gradient for the images, of this shape. */
function inputGradient(call: OpCall, dy: Value, filter: Value, shape: readonly number[], geometry: Geometry): Value {
  const groups = groupsOf(shape[3]!, filter.shape);
  const own = groups === 1 ? filter : turned(call.b, filter, groups);
  // A reversed window would say the same, and XLA has no fast convolution for one, on processors and GPUs.
  const reversed = call.b.op('stablehlo.reverse', [own], own, ', dims = [0, 1]');
  return convolve(call, dy, reversed, shape, {
    dims: groups === 1 ? NHWC.replace('i, o', 'o, i') : NHWC,
    strides: [1, 1],
    padding: undone(geometry, paddingsOf(call, geometry)),
    dilations: [geometry.strides, geometry.dilations],
    groups,
  });
}

/** Its gradient for the filter, of this shape. */
function filterGradient(call: OpCall, x: Value, dy: Value, shape: readonly number[], geometry: Geometry): Value {
  return convolve(call, x, dy, shape, {
    dims: '[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]',
    strides: geometry.dilations,
    padding: aroundFilter(geometry, paddingsOf(call, geometry)),
    dilations: [[1, 1], geometry.strides],
    batchGroups: groupsOf(x.shape[3]!, shape),
  });
}

/** A depthwise filter `[h, w, in, times]` as one in as many groups as there are channels. */
const inGroups = ([h, w, channels, times]: readonly number[]): number[] => [h!, w!, 1, channels! * times!];

/** Convolutions and their gradients. */
export const convolutions: Lowerings = {
  Conv2D: (call) => {
    const [x, filter] = call.inputs as [Value, Value];
    const { shape } = call.outputs[0]!;
    return [forward(call, x, filter, shape, geometryOf(call, x.shape, shape, filter.shape))];
  },
  Conv2DBackpropInput: (call) => {
    const [, filter, dy] = call.inputs as [Value, Value, Value];
    const { shape } = call.outputs[0]!;
    return [inputGradient(call, dy, filter, shape, geometryOf(call, shape, dy.shape, filter.shape))];
  },
  Conv2DBackpropFilter: (call) => {
    const [x, , dy] = call.inputs as [Value, Value, Value];
    const { shape } = call.outputs[0]!;
    return [filterGradient(call, x, dy, shape, geometryOf(call, x.shape, dy.shape, shape))];
  },
  DepthwiseConv2dNative: (call) => {
    const [x, filter] = call.inputs as [Value, Value];
    const { shape } = call.outputs[0]!;
    const grouped = call.b.reshape(filter, inGroups(filter.shape));
    return [forward(call, x, grouped, shape, geometryOf(call, x.shape, shape, filter.shape))];
  },
  DepthwiseConv2dNativeBackpropInput: (call) => {
    const [, filter, dy] = call.inputs as [Value, Value, Value];
    const { shape } = call.outputs[0]!;
    const grouped = call.b.reshape(filter, inGroups(filter.shape));
    return [inputGradient(call, dy, grouped, shape, geometryOf(call, shape, dy.shape, filter.shape))];
  },
  DepthwiseConv2dNativeBackpropFilter: (call) => {
    const [x, , dy] = call.inputs as [Value, Value, Value];
    const { shape } = call.outputs[0]!;
    const made = filterGradient(call, x, dy, inGroups(shape), geometryOf(call, x.shape, dy.shape, shape));
    return [call.b.reshape(made, shape)];
  },
  Conv3D: (call) => {
    const [x, filter] = call.inputs as [Value, Value];
    const { shape } = call.outputs[0]!;
    const geometry = geometryOf(call, x.shape, shape, filter.shape);
    const dims = '[b, 0, 1, 2, f]x[0, 1, 2, i, o]->[b, 0, 1, 2, f]';
    const { strides, dilations } = geometry;
    const padding = paddingsOf(call, geometry);
    return [convolve(call, x, filter, shape, { dims, strides, padding, dilations: [[1, 1, 1], dilations] })];
  },
};
