import { ofRank, tf } from '../../tf.ts';
import { supplyKernel } from './registry.ts';

interface ConvolutionAttributes {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
}

type Shape4D = [number, number, number, number];

const describe = (input: readonly number[], filter: readonly number[], { strides, pad }: ConvolutionAttributes) =>
  tf.backend_util.computeConv2DInfo(input as Shape4D, filter as Shape4D, strides, 1, pad);

const padding = (top: number, bottom: number, left: number, right: number): tf.backend_util.ExplicitPadding => [
  [0, 0],
  [top, bottom],
  [left, right],
  [0, 0],
];

/**
 * Gradient of a convolution's filter, as a convolution: channels of x take the place of the batch, the batch that of
 * the channels, dy is the filter, and the stride becomes a dilation.
 */
function filterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, filterShape: Shape4D, attributes: ConvolutionAttributes) {
  const { strideHeight, strideWidth, padInfo } = describe(x.shape, filterShape, attributes);
  const { top, bottom, left, right } = padInfo;
  const [height, width, inChannels, outChannels] = filterShape;
  const gradient = tf.conv2d(
    x.transpose<tf.Tensor4D>([3, 1, 2, 0]),
    dy.transpose<tf.Tensor4D>([1, 2, 0, 3]),
    1,
    padding(top, bottom, left, right),
    'NHWC',
    [strideHeight, strideWidth],
  );
  return gradient.slice([0, 0, 0, 0], [inChannels, height, width, outChannels]).transpose([1, 2, 0, 3]);
}

/**
 * Gradient of a convolution's input, as a convolution of dy, spread out by the stride, with the filter turned by 180
 * degrees and its channels swapped.
 */
function inputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D, inputShape: Shape4D, attributes: ConvolutionAttributes) {
  const { strideHeight, strideWidth, padInfo } = describe(inputShape, filter.shape, attributes);
  const spread = spreadOut(dy, strideHeight, strideWidth);
  const [, height, width] = inputShape;
  const top = filter.shape[0] - 1 - padInfo.top;
  const left = filter.shape[1] - 1 - padInfo.left;
  const bottom = height - spread.shape[1] + padInfo.top;
  const right = width - spread.shape[2] + padInfo.left;
  const cropped = crop(spread, Math.max(-top, 0), Math.max(-bottom, 0), Math.max(-left, 0), Math.max(-right, 0));
  const turned = filter.reverse([0, 1]).transpose<tf.Tensor4D>([0, 1, 3, 2]);
  return tf.conv2d(
    cropped,
    turned,
    1,
    padding(Math.max(top, 0), Math.max(bottom, 0), Math.max(left, 0), Math.max(right, 0)),
  );
}

/** Without some of its outer rows and columns: what negative padding means. */
function crop(x: tf.Tensor4D, top: number, bottom: number, left: number, right: number): tf.Tensor4D {
  if (top + bottom + left + right === 0) return x;
  const [batch, height, width, channels] = x.shape;
  return x.slice([0, top, left, 0], [batch, height - top - bottom, width - left - right, channels]);
}

/** Puts `stride − 1` rows and columns of zeros after each row and column. */
function spreadOut(x: tf.Tensor4D, strideHeight: number, strideWidth: number): tf.Tensor4D {
  if (strideHeight === 1 && strideWidth === 1) return x;
  const [batch, height, width, channels] = x.shape;
  return x
    .reshape<tf.Tensor3D>([batch * height, 1, width * channels])
    .pad([
      [0, 0],
      [0, strideHeight - 1],
      [0, 0],
    ])
    .reshape<tf.Tensor3D>([batch * height * strideHeight * width, 1, channels])
    .pad([
      [0, 0],
      [0, strideWidth - 1],
      [0, 0],
    ])
    .reshape([batch, height * strideHeight, width * strideWidth, channels]);
}

/** The convolution gradients that tfjs's WASM backend lacks (filter) or has ten times slower than the forward pass (input). */
export function supplyWasmConvolutions(): void {
  supplyKernel<ConvolutionAttributes & { filterShape: Shape4D }>(
    'wasm',
    'Conv2DBackpropFilter',
    ({ x, dy }, attributes) =>
      tf.tidy(() => filterGradient(ofRank(x, 4), ofRank(dy, 4), attributes.filterShape, attributes)),
  );
  supplyKernel<ConvolutionAttributes & { inputShape: Shape4D }>(
    'wasm',
    'Conv2DBackpropInput',
    ({ dy, filter }, attributes) =>
      tf.tidy(() => inputGradient(ofRank(dy, 4), ofRank(filter, 4), attributes.inputShape, attributes)),
  );
}
