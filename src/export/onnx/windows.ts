import type { Endpoint, OpNode } from '../../graph/index.ts';
import { opNotMapped } from '../errors.ts';
import { valuesOf } from '../fold-constants.ts';
import { type Builder, type Mapping, transposed, type Value } from './builder.ts';

const integers = (node: OpNode, name: string): readonly number[] | undefined =>
  node.attributes[name]?.value as readonly number[] | undefined;

/** Height and width of an attribute with a number per axis of `[batch, height, width, channels]`. */
const sides = (node: OpNode, name: string): [number, number] => {
  const [, height = 1, width = 1] = integers(node, name) ?? [];
  return [height, width];
};

/**
 * Strides, dilations and zeros around the image, `[top, left, bottom, right]`, as numbers: TensorFlow's SAME puts an odd
 * zero below and on the right.
 */
function windowAttributes(
  builder: Builder,
  node: OpNode,
  size: readonly [number, number],
): { strides: number[]; dilations: number[]; pads: number[] } {
  const format = node.attributes.data_format?.value;
  if (format !== undefined && format !== 'NHWC') throw opNotMapped('ONNX', node.op, ` in ${format}`, node.owner);
  const strides = sides(node, 'strides');
  const dilations = sides(node, 'dilations');
  const [, ...image] = builder.shapeOf(node.inputs[0]!);
  const pad = (axis: 0 | 1): [number, number] => {
    const explicit = integers(node, 'explicit_paddings') ?? [];
    if (node.attributes.padding!.value === 'EXPLICIT') return [explicit[2 * axis + 2]!, explicit[2 * axis + 3]!];
    if (node.attributes.padding!.value === 'VALID') return [0, 0];
    const covered =
      (Math.ceil(image[axis]! / strides[axis]!) - 1) * strides[axis]! + (size[axis]! - 1) * dilations[axis]! + 1;
    const total = Math.max(covered - image[axis]!, 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  const [[top, bottom], [left, right]] = [pad(0), pad(1)];
  return { strides, dilations, pads: [top, left, bottom, right] };
}

/** Conv2D; kernel `[height, width, in, out]` → `[out, in, height, width]`. */
export const convolution: Mapping = (node, builder) => {
  const [x, kernel] = [node.inputs[0]!, node.inputs[1]!];
  const [height, width, inputs] = builder.shapeOf(kernel) as [number, number, number];
  const weights = weightsOf(builder, kernel, builder.shapeOf(kernel), [3, 2, 0, 1]);
  const group = builder.shapeOf(x)[3]! / inputs;
  const attributes = { ...windowAttributes(builder, node, [height, width]), kernel_shape: [height, width], group };
  return channelsFirst(builder.emit('Conv', [builder.get(x, 'channels-first'), weights], attributes));
};

/** DepthwiseConv2dNative; kernel `[height, width, in, multiplier]` → `[in · multiplier, 1, height, width]`. */
export const depthwiseConvolution: Mapping = (node, builder) => {
  const [x, kernel] = [node.inputs[0]!, node.inputs[1]!];
  const [height, width, group, multiplier] = builder.shapeOf(kernel) as [number, number, number, number];
  const weights = weightsOf(builder, kernel, [height, width, group * multiplier, 1], [2, 3, 0, 1]);
  const attributes = { ...windowAttributes(builder, node, [height, width]), kernel_shape: [height, width], group };
  return channelsFirst(builder.emit('Conv', [builder.get(x, 'channels-first'), weights], attributes));
};

/** AvgPool, which leaves zeros around the image out of its mean, and MaxPool. */
export const pooling =
  (op: 'AveragePool' | 'MaxPool'): Mapping =>
  (node, builder) => {
    const size = sides(node, 'ksize');
    const attributes = { ...windowAttributes(builder, node, size), kernel_shape: size };
    const { dilations: _, ...average } = attributes;
    const own = op === 'MaxPool' ? attributes : average;
    return channelsFirst(builder.emit(op, [builder.get(node.inputs[0]!, 'channels-first')], own));
  };

const channelsFirst = (name: string): Value => ({ name, layout: 'channels-first' });

/** A kernel, seen in a shape and with its axes in ONNX's order. */
function weightsOf(builder: Builder, kernel: Endpoint, shape: readonly number[], perm: readonly number[]): string {
  const constant = builder.constantAt(kernel);
  if (constant) {
    const moved = transposed(valuesOf(constant) as Float32Array, shape, perm);
    return builder.floats(moved.values, moved.shape);
  }
  const seen = builder.emit('Reshape', [builder.get(kernel, 'tensorflow'), builder.integers(shape)]);
  return builder.emit('Transpose', [seen], { perm });
}
