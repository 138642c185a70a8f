import { tf } from '../../tf.ts';
import { LANES } from './custom-ops.ts';
import { hasKernel, runKernel } from './registry.ts';
import { nextStatistics } from './running-statistics.ts';
import { type Across, type Normalise, syncedBatchNorm } from './synced-batch-norm.ts';

/** Options of {@link batchNorm}; the defaults are PyTorch's. */
export interface BatchNormOptions {
  /** Statistics of the batch, which carry the running ones forward; otherwise the running ones are used. */
  training: boolean;
  /** Weight of the batch in the next running statistics. Default 0.1. */
  momentum?: number | undefined;
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
  /** In training: by the statistics of all replicas. Default: by those of `x`. */
  across?: Across | undefined;
}

/** What {@link batchNorm} gives; `mean` and `variance` are the next running statistics, `[channels]`. */
export interface BatchNormOutputs {
  y: tf.Tensor;
  mean: tf.Tensor;
  variance: tf.Tensor;
}

/**
 * Batch normalisation over batch, height and width (Ioffe and Szegedy 2015), in PyTorch's form: the batch is
 * normalised by its biased variance, the running variance takes the unbiased one.
 * One op each way on the native backend: tailmix's custom op in training where it runs, else TensorFlow's.
 *
 * @param x - `[batch, height, width, channels]`; all else is `[channels]`.
 */
export function batchNorm(
  x: tf.Tensor,
  scale: tf.Tensor,
  shift: tf.Tensor,
  runningMean: tf.Tensor,
  runningVariance: tf.Tensor,
  { training, momentum = 0.1, epsilon = 1e-5, across }: BatchNormOptions,
): BatchNormOutputs {
  if (training && across) {
    const normalise: Normalise = (...given) => batchNorm(...given, { training: false, epsilon }).y;
    return syncedBatchNorm(x, scale, shift, runningMean, runningVariance, { momentum, epsilon, across, normalise });
  }
  if (training && x.shape[3]! % LANES === 0 && hasKernel('TailmixBatchNorm')) {
    const inputs = { x, scale, shift, mean: runningMean, variance: runningVariance };
    const [y, mean, variance] = runKernel('TailmixBatchNorm', inputs, { momentum, epsilon });
    return { y: y!, mean: mean!, variance: variance! };
  }
  if (!hasKernel('FusedBatchNormV3')) {
    return composedBatchNorm(x, scale, shift, runningMean, runningVariance, { training, momentum, epsilon });
  }
  const [y, mean, variance] = runKernel(
    'FusedBatchNormV3',
    { x, scale, shift, mean: runningMean, variance: runningVariance },
    { training, momentum, epsilon },
  );
  return training
    ? { y: y!, mean: mean!, variance: variance! }
    : { y: y!, mean: runningMean, variance: runningVariance };
}

/** {@link batchNorm} from tfjs's own ops, on any backend. */
export function composedBatchNorm(
  x: tf.Tensor,
  scale: tf.Tensor,
  shift: tf.Tensor,
  runningMean: tf.Tensor,
  runningVariance: tf.Tensor,
  { training, momentum = 0.1, epsilon = 1e-5 }: BatchNormOptions,
): BatchNormOutputs {
  const normalise = (mean: tf.Tensor, variance: tf.Tensor): tf.Tensor => {
    const factor = variance.add(epsilon).rsqrt().mul(scale);
    return x.sub(mean).mul(factor).add(shift);
  };
  if (!training) {
    return { y: normalise(runningMean, runningVariance), mean: runningMean, variance: runningVariance };
  }
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const count = x.size / x.shape[3]!;
  const running = { mean: runningMean, variance: runningVariance };
  return { y: normalise(mean, variance), ...nextStatistics(running, { mean, variance }, count, momentum) };
}

/** Gradient of tailmix's custom op. */
const customBatchNormGradient: tf.GradConfig = {
  kernelName: 'TailmixBatchNorm',
  inputsToSave: ['x', 'scale', 'shift'],
  outputsToSave: [false, false, false, true, true],
  gradFunc: (dys, saved) => {
    const [x, scale, shift, mean, inverse] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const [dy] = [dys].flat();
    const [dx, dscale, dshift] = runKernel('TailmixBatchNormGrad', { dy: dy!, x, scale, shift, mean, inverse });
    return { x: () => dx!, scale: () => dscale!, shift: () => dshift! };
  },
};

/** Gradient of TensorFlow's op, in training and with running statistics alike. */
const fusedBatchNormGradient: tf.GradConfig = {
  kernelName: 'FusedBatchNormV3',
  inputsToSave: ['x', 'scale', 'mean', 'variance'],
  outputsToSave: [false, false, false, true, true, true],
  gradFunc: (dys, saved, { training, epsilon }) => {
    const [dy] = [dys].flat();
    const [x, scale, runningMean, runningVariance, batchMean, batchVariance, reserve] = saved as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const [dx, dscale, dshift] = runKernel(
      'FusedBatchNormGradV3',
      {
        dy: dy!,
        x,
        scale,
        mean: training ? batchMean : runningMean,
        variance: training ? batchVariance : runningVariance,
        reserve,
      },
      { training, epsilon },
    );
    return { x: () => dx!, scale: () => dscale!, shift: () => dshift! };
  },
};

/** Gradients of the native kernels, one op each. */
export const batchNormGradients: readonly tf.GradConfig[] = [customBatchNormGradient, fusedBatchNormGradient];
