import { ofRank, tf } from '../../tf.ts';
import { supplyKernel } from './registry.ts';

/**
 * Mean over batch, height and width, `[channels]`: of each image by pooling, then over the images. Ten times quicker
 * than `tf.mean` on WASM, and ten times more exact, as fewer numbers are added one after another.
 */
function channelMean(x: tf.Tensor4D): tf.Tensor {
  const [batch, height, width, channels] = x.shape;
  return tf.avgPool(x, [height, width], 1, 'valid').reshape([batch, channels]).mean(0);
}

/** `x·factor + summand` for each channel, as one depthwise convolution. */
function affine(x: tf.Tensor4D, factor: tf.Tensor, summand: tf.Tensor): tf.Tensor4D {
  const filter = factor.reshape<tf.Tensor4D>([1, 1, x.shape[3], 1]);
  return ofRank(tf.fused.depthwiseConv2d({ x, filter, bias: summand, strides: 1, pad: 'valid' }), 4);
}

interface NormAttributes {
  epsilon: number;
  training: boolean;
}

/** Batch norm and its gradient for the backend `wasm`, with the inputs and outputs of TensorFlow's `FusedBatchNormV3`. */
export function supplyWasmBatchNorm(): void {
  supplyKernel<NormAttributes & { momentum: number }>(
    'wasm',
    'FusedBatchNormV3',
    ({ x: images, scale, shift, mean, variance }, { training, epsilon, momentum }) =>
      tf.tidy(() => {
        const x = ofRank(images, 4);
        const normalise = (mean: tf.Tensor, variance: tf.Tensor): tf.Tensor4D => {
          const factor = variance.add(epsilon).rsqrt().mul(scale!);
          return affine(x, factor, shift!.sub(mean.mul(factor)));
        };
        const reserve = tf.tensor1d([]);
        if (!training) {
          const [m, v] = [mean!, variance!];
          return [normalise(m, v), m.clone(), v.clone(), m.clone(), v.clone(), reserve];
        }
        const batchMean = channelMean(x);
        const batchVariance = channelMean(centred(x, batchMean).square());
        const count = x.size / x.shape[3];
        const carry = (running: tf.Tensor, batch: tf.Tensor): tf.Tensor =>
          running.mul(1 - momentum).add(batch.mul(momentum));
        return [
          normalise(batchMean, batchVariance),
          carry(mean!, batchMean),
          carry(variance!, batchVariance.mul(count / Math.max(count - 1, 1))),
          batchMean,
          batchVariance,
          reserve,
        ];
      }),
  );
  supplyKernel<NormAttributes>(
    'wasm',
    'FusedBatchNormGradV3',
    ({ dy: gradient, x, scale, mean, variance }, { training, epsilon }) =>
      tf.tidy(() => {
        const dy = ofRank(gradient, 4);
        const count = dy.size / dy.shape[3];
        const inverse = variance!.add(epsilon).rsqrt();
        const factor = inverse.mul(scale!);
        const deviations = centred(ofRank(x, 4), mean!);
        const meanOfDy = channelMean(dy);
        const covariance = channelMean(dy.mul(deviations));
        const dscale = covariance.mul(inverse).mul(count);
        const dshift = meanOfDy.mul(count);
        if (!training) return [affine(dy, factor, tf.zerosLike(factor)), dscale, dshift];
        const slope = factor.mul(inverse.square()).mul(covariance).neg();
        const dx = affine(dy, factor, factor.mul(meanOfDy).neg()).add(affine(deviations, slope, tf.zerosLike(slope)));
        return [dx, dscale, dshift];
      }),
  );
}

const centred = (x: tf.Tensor4D, mean: tf.Tensor): tf.Tensor4D => affine(x, tf.onesLike(mean), mean.neg());
