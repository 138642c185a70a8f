import type { tf } from '../../tf.ts';
import { attribute, float, type NativeBackend } from './native-op.ts';
import { supplyKernel } from './registry.ts';
import type { SgdOptions } from './sgd.ts';

/** Channels that the custom ops take at a time. */
export const LANES = 16;

interface Convolution {
  strides: number | readonly number[];
  pad: 'valid' | 'same' | number | readonly (readonly number[])[];
  dilations?: number | readonly number[];
  dataFormat?: string;
}

/**
 * Whether tailmix's custom convolution (`native/convolution.h`) takes a call and is faster than TensorFlow's: 3×3, stride 1,
 * zeros around the images, channels in sixteens, and enough tiles to be worth transforming the filters.
 *
 * @param x - `[batch, height, width, in]`
 * @param filter - `[3, 3, in, out]`
 */
export function suitsCustomConvolution(
  x: readonly number[],
  filter: readonly number[],
  { strides, pad, dilations = 1, dataFormat = 'NHWC' }: Convolution,
): boolean {
  const ones = [strides, dilations].flat().every((value) => value === 1);
  const around = pad === 'same' || String(pad) === '0,0,1,1,1,1,0,0' || pad === 1;
  const [rows, columns, channels, results] = filter as [number, number, number, number];
  const lanes = channels % LANES === 0 && results % LANES === 0;
  const suits = rows === 3 && columns === 3 && ones && around && lanes && dataFormat === 'NHWC';
  return suits && hasEnoughTiles(x, filter);
}

/**
 * Whether images have enough tiles of 4×4 results for minimal filtering to be faster than a plain convolution: measured with 64 to
 * 512 channels (docs/step-measurements.md).
 */
export function hasEnoughTiles(
  [batch, height, width]: readonly number[],
  [, , channels, results]: readonly number[],
): boolean {
  return 64 * batch! * Math.ceil(height! / 4) * Math.ceil(width! / 4) >= channels! + results!;
}

/** Registers kernels for tailmix's custom ops (`native/ops.cc`), one op each; convolutions take those that they suit. */
export function supplyCustomOps(): void {
  const supply = <Attributes = object>(
    name: string,
    run: (
      inputs: Record<string, tf.Tensor>,
      backend: NativeBackend,
      attributes: Attributes,
    ) => tf.TensorInfo | tf.TensorInfo[],
    replaces?: (attributes: Attributes, inputs: Record<string, tf.Tensor>) => boolean,
  ): void =>
    supplyKernel<Attributes, NativeBackend>(
      'tensorflow',
      name,
      (inputs, attributes, backend) => run(inputs, backend, attributes),
      replaces,
    );
  const one = (backend: NativeBackend, op: string, inputs: tf.Tensor[]): tf.Tensor =>
    backend.executeMultipleOutputs(op, [float(backend, 'T')], inputs, 1)[0]!;

  supply<{ momentum: number; epsilon: number }>(
    'TailmixBatchNorm',
    ({ x, scale, shift, mean, variance }, backend, { momentum, epsilon }) =>
      backend.executeMultipleOutputs(
        'TailmixBatchNorm',
        [
          float(backend, 'T'),
          attribute(backend, 'residuals', 'INT', 0),
          attribute(backend, 'epsilon', 'FLOAT', epsilon),
          attribute(backend, 'momentum', 'FLOAT', momentum),
        ],
        [x!, scale!, shift!, mean!, variance!],
        5,
      ),
  );
  supply('TailmixBatchNormGrad', ({ dy, x, scale, shift, mean, inverse }, backend) =>
    backend.executeMultipleOutputs(
      'TailmixBatchNormGrad',
      [
        float(backend, 'T'),
        attribute(backend, 'summands', 'INT', 1),
        attribute(backend, 'outputs', 'INT', 0),
        attribute(backend, 'kept', 'INT', 0),
      ],
      [dy!, x!, scale!, shift!, mean!, inverse!],
      3,
    ),
  );
  supply<{ epsilon: number }>('TailmixLayerNorm', ({ x, scale, shift }, backend, { epsilon }) =>
    backend.executeMultipleOutputs(
      'TailmixLayerNorm',
      [float(backend, 'T'), attribute(backend, 'epsilon', 'FLOAT', epsilon)],
      [x!, scale!, shift!],
      3,
    ),
  );
  supply('TailmixLayerNormGrad', ({ dy, x, scale, mean, inverse }, backend) =>
    one(backend, 'TailmixLayerNormGrad', [dy!, x!, scale!, mean!, inverse!]),
  );
  supply('TailmixLayerNormSums', ({ dy, x, mean, inverse }, backend) =>
    backend.executeMultipleOutputs('TailmixLayerNormSums', [float(backend, 'T')], [dy!, x!, mean!, inverse!], 2),
  );
  supply('TailmixGelu', ({ x }, backend) => one(backend, 'TailmixGelu', [x!]));
  supply('TailmixGeluGrad', ({ dy, x }, backend) => one(backend, 'TailmixGeluGrad', [dy!, x!]));
  supply('TailmixSoftmaxGrad', ({ dy, y }, backend) => one(backend, 'TailmixSoftmaxGrad', [dy!, y!]));
  supply<Convolution>(
    'Conv2D',
    ({ x, filter }, backend) =>
      backend.executeMultipleOutputs(
        'TailmixConv2D',
        [float(backend, 'T'), attribute(backend, 'biases', 'INT', 0), attribute(backend, 'residuals', 'INT', 0)],
        [x!, filter!],
        1,
      )[0]!,
    (attributes, { x, filter }) => suitsCustomConvolution(x!.shape, filter!.shape, attributes),
  );
  supply<Convolution & { inputShape: number[] }>(
    'Conv2DBackpropInput',
    ({ dy, filter }, backend) => one(backend, 'TailmixConv2DBackpropInput', [filter!, dy!]),
    (attributes, { filter }) => suitsCustomConvolution(attributes.inputShape, filter!.shape, attributes),
  );
  supply<Convolution & { filterShape: number[] }>(
    'Conv2DBackpropFilter',
    ({ x, dy }, backend) => one(backend, 'TailmixConv2DBackpropFilter', [x!, dy!]),
    (attributes, { x }) => suitsCustomConvolution(x!.shape, attributes.filterShape, attributes),
  );
  supply<SgdOptions>('TailmixSgd', ({ weight, velocity, gradient, rate }, backend, options) =>
    backend.executeMultipleOutputs(
      'TailmixSgd',
      [
        float(backend, 'T'),
        attribute(backend, 'momentum', 'FLOAT', options.momentum),
        attribute(backend, 'decay', 'FLOAT', options.weightDecay),
        attribute(backend, 'nesterov', 'BOOL', options.nesterov),
      ],
      [weight!, velocity!, gradient!, rate!],
      2,
    ),
  );
}
