import { ofRank, tf } from '../../tf.ts';
import type { OpAttribute } from '../binding.ts';
import { attribute, float, type NativeBackend } from './native-op.ts';
import { hasKernel, runKernel, supplyKernel } from './registry.ts';

interface Attributes {
  stride: number;
  pad: 'same' | 'valid';
}

/**
 * Convolution of groups of channels, each with filters of its own (Krizhevsky et al. 2012). TensorFlow's convolution and its
 * gradients take groups by the filter's shape, though tfjs refuses them; on WASM each group is a convolution.
 *
 * @param x - `[batch, height, width, in]`
 * @param filter - `[height, width, in / groups, out]`; the first `out / groups` results are of the first group
 */
export function groupedConvolution(x: tf.Tensor, filter: tf.Tensor, attributes: Attributes): tf.Tensor {
  if (hasKernel('GroupedConv2D')) return runKernel('GroupedConv2D', { x, filter }, { ...attributes })[0]!;
  const groups = x.shape[3]! / filter.shape[2]!;
  const filters = tf.split(ofRank(filter, 4), groups, 3);
  const results = tf
    .split(ofRank(x, 4), groups, 3)
    .map((part, i) => tf.conv2d(ofRank(part, 4), ofRank(filters[i], 4), attributes.stride, attributes.pad));
  return tf.concat(results, 3);
}

export const groupedConvolutionGradient: tf.GradConfig = {
  kernelName: 'GroupedConv2D',
  inputsToSave: ['x', 'filter'],
  gradFunc: (dys, saved, given) => {
    const [x, filter] = saved as [tf.Tensor, tf.Tensor];
    const dy = [dys].flat()[0]!;
    const attributes = given as unknown as Attributes;
    return {
      x: () => runKernel('GroupedConv2DBackpropInput', { filter, dy }, { ...attributes, shape: x.shape })[0]!,
      filter: () => runKernel('GroupedConv2DBackpropFilter', { x, dy }, { ...attributes, shape: filter.shape })[0]!,
    };
  },
};

/** Registers TensorFlow's convolution and gradients under names that tfjs does not check the shapes of. */
export function supplyGroupedConvolutions(): void {
  const run = (backend: NativeBackend, op: string, attributes: Attributes, inputs: tf.Tensor[]): tf.Tensor[] =>
    backend.executeMultipleOutputs(op, opAttributes(backend, attributes), inputs, 1);
  supplyKernel<Attributes, NativeBackend>('tensorflow', 'GroupedConv2D', ({ x, filter }, attributes, backend) =>
    run(backend, 'Conv2D', attributes, [x!, filter!]),
  );
  const gradient = (
    op: 'Conv2DBackpropInput' | 'Conv2DBackpropFilter',
    inputsOf: (inputs: Record<string, tf.Tensor>, shape: tf.Tensor) => tf.Tensor[],
  ): void =>
    supplyKernel<Attributes & { shape: number[] }, NativeBackend>(
      'tensorflow',
      `Grouped${op}`,
      (inputs, attributes, backend) => {
        const shape = tf.tensor1d(attributes.shape, 'int32');
        const gradients = run(backend, op, attributes, inputsOf(inputs, shape));
        shape.dispose();
        return gradients;
      },
    );
  gradient('Conv2DBackpropInput', ({ filter, dy }, shape) => [shape, filter!, dy!]);
  gradient('Conv2DBackpropFilter', ({ x, dy }, shape) => [x!, shape, dy!]);
}

const opAttributes = (backend: NativeBackend, { stride, pad }: Attributes): OpAttribute[] => [
  float(backend, 'T'),
  attribute(backend, 'strides', 'INT', [1, stride, stride, 1]),
  attribute(backend, 'padding', 'STRING', pad.toUpperCase()),
  attribute(backend, 'data_format', 'STRING', 'NHWC'),
  attribute(backend, 'use_cudnn_on_gpu', 'BOOL', true),
  attribute(backend, 'dilations', 'INT', [1, 1, 1, 1]),
];
