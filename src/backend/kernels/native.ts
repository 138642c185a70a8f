import { ofRank, tf } from '../../tf.ts';
import type { OpAttribute } from '../binding.ts';
import { hasCustomOps } from '../native.ts';
import { supplyCustomOps } from './custom-ops.ts';
import { supplyGroupedConvolutions } from './grouped-convolution.ts';
import { attribute, float, type NativeBackend } from './native-op.ts';
import { type Kernel, runKernel, supplyKernel } from './registry.ts';

interface ConvolutionAttributes {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
}

/** Explicit padding is what tfjs-node's convolution gradients refuse. */
const isExplicit = ({ pad }: Partial<ConvolutionAttributes>): boolean => typeof pad === 'object';

function explicitConvolution(
  backend: NativeBackend,
  inputShape: readonly number[],
  filterShape: readonly number[],
  { strides, pad }: ConvolutionAttributes,
): OpAttribute[] {
  const { strideHeight, strideWidth, padInfo } = tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    1,
    pad,
  );
  const { type, top, bottom, left, right } = padInfo;
  return [
    float(backend, 'T'),
    attribute(backend, 'strides', 'INT', [1, strideHeight, strideWidth, 1]),
    attribute(backend, 'padding', 'STRING', type),
    ...(type === 'EXPLICIT'
      ? [attribute(backend, 'explicit_paddings', 'INT', [0, 0, top, bottom, left, right, 0, 0])]
      : []),
    attribute(backend, 'data_format', 'STRING', 'NHWC'),
    attribute(backend, 'use_cudnn_on_gpu', 'BOOL', true),
    attribute(backend, 'dilations', 'INT', [1, 1, 1, 1]),
  ];
}

/** Channels that oneDNN computes at a time with AVX2. */
const VECTOR = 8;

/**
 * A 1×1 convolution that leaves pixels out, over few channels. TensorFlow 2.21, whose oneDNN uses AVX2, computes a wrong
 * gradient of its filter: relative errors from 0.07 to 0.9 below 8 input channels with strides of 2, also of 3.
 */
const isSparse = ({ strides, pad, filterShape }: ConvolutionAttributes & { filterShape: number[] }): boolean => {
  const [height, width, channels] = filterShape as [number, number, number];
  const isStrided = [strides].flat().some((stride) => stride > 1);
  return height === 1 && width === 1 && isStrided && channels % VECTOR !== 0 && typeof pad === 'string';
};

/** The same gradient, of the pixels that the convolution takes: an average over one. */
const filterGradientOfSparse = (
  x: tf.Tensor,
  dy: tf.Tensor,
  { strides, filterShape }: ConvolutionAttributes & { filterShape: number[] },
): tf.Tensor =>
  tf.tidy(() => {
    const taken = tf.avgPool(ofRank(x, 4), 1, strides, 'valid');
    const dense = { strides: 1, pad: 'valid', dataFormat: 'NHWC', dimRoundingMode: undefined, filterShape };
    return runKernel('Conv2DBackpropFilter', { x: taken, dy }, dense)[0]!;
  });

function convolutionGradient(
  backend: NativeBackend,
  op: 'Conv2DBackpropInput' | 'Conv2DBackpropFilter',
  attributes: OpAttribute[],
  shape: readonly number[],
  inputs: (shape: tf.Tensor) => tf.Tensor[],
): tf.Tensor {
  const wanted = tf.tensor1d([...shape], 'int32');
  const [gradient] = backend.executeMultipleOutputs(op, attributes, inputs(wanted), 1);
  wanted.dispose();
  return gradient!;
}

interface NormAttributes {
  epsilon: number;
  training: boolean;
}

const normAttributes = (backend: NativeBackend, { epsilon, training }: NormAttributes): OpAttribute[] => [
  float(backend, 'T'),
  float(backend, 'U'),
  attribute(backend, 'epsilon', 'FLOAT', epsilon),
  attribute(backend, 'data_format', 'STRING', 'NHWC'),
  attribute(backend, 'is_training', 'BOOL', training),
];

/**
 * TensorFlow ops that tfjs-node does not offer, as kernels of the backend `tensorflow`, one op each:
 * batch norm and its gradient, ReLU's gradient, softmax cross-entropy with its gradient, random numbers of a seed, and
 * convolution gradients with explicit padding; tailmix's custom ops where they are loaded.
 */
export function supplyNativeKernels(): void {
  const supply = <Attributes = object>(
    name: string,
    kernel: Kernel<Attributes, NativeBackend>,
    replaces?: (attributes: Attributes) => boolean,
  ): void => supplyKernel('tensorflow', name, kernel, replaces);

  supply<NormAttributes & { momentum: number }>('FusedBatchNormV3', (inputs, attributes, backend) => {
    const { x, scale, shift, mean, variance } = inputs;
    const share = attributes.training ? attributes.momentum : 1;
    return backend.executeMultipleOutputs(
      'FusedBatchNormV3',
      [...normAttributes(backend, attributes), attribute(backend, 'exponential_avg_factor', 'FLOAT', share)],
      [x!, scale!, shift!, mean!, variance!],
      6,
    );
  });
  supply<NormAttributes>('FusedBatchNormGradV3', ({ dy, x, scale, mean, variance, reserve }, attributes, backend) =>
    backend.executeMultipleOutputs(
      'FusedBatchNormGradV3',
      normAttributes(backend, attributes),
      [dy!, x!, scale!, mean!, variance!, reserve!],
      5,
    ),
  );
  supply('ReluGrad', ({ dy, y }, _, backend) =>
    backend.executeMultipleOutputs('ReluGrad', [float(backend, 'T')], [dy!, y!], 1),
  );
  supply('SparseSoftmaxCrossEntropyWithLogits', ({ logits, labels }, _, backend) =>
    backend.executeMultipleOutputs(
      'SparseSoftmaxCrossEntropyWithLogits',
      [float(backend, 'T'), attribute(backend, 'Tlabels', 'TYPE', backend.binding.TF_INT32)],
      [logits!, labels!],
      2,
    ),
  );
  supply<{ shape: number[] }>('StatelessRandomUniform', ({ seed }, { shape }, backend) => {
    const wanted = tf.tensor1d(shape, 'int32');
    const types = [
      float(backend, 'dtype'),
      ...['T', 'Tseed'].map((type) => attribute(backend, type, 'TYPE', backend.binding.TF_INT32)),
    ];
    const drawn = backend.executeMultipleOutputs('StatelessRandomUniform', types, [wanted, seed!], 1);
    wanted.dispose();
    return drawn;
  });
  supply<ConvolutionAttributes & { inputShape: number[] }>(
    'Conv2DBackpropInput',
    ({ dy, filter }, attributes, backend) => {
      const described = explicitConvolution(backend, attributes.inputShape, filter!.shape, attributes);
      return convolutionGradient(backend, 'Conv2DBackpropInput', described, attributes.inputShape, (shape) => [
        shape,
        filter!,
        dy!,
      ]);
    },
    isExplicit,
  );
  supply<ConvolutionAttributes & { filterShape: number[] }>(
    'Conv2DBackpropFilter',
    ({ x, dy }, attributes, backend) => {
      const described = explicitConvolution(backend, x!.shape, attributes.filterShape, attributes);
      return convolutionGradient(backend, 'Conv2DBackpropFilter', described, attributes.filterShape, (shape) => [
        x!,
        shape,
        dy!,
      ]);
    },
    isExplicit,
  );
  supply<ConvolutionAttributes & { filterShape: number[] }>(
    'Conv2DBackpropFilter',
    ({ x, dy }, attributes) => filterGradientOfSparse(x!, dy!, attributes),
    isSparse,
  );
  supplyGroupedConvolutions();
  if (hasCustomOps()) supplyCustomOps();
}
