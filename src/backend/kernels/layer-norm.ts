import type { tf } from '../../tf.ts';
import { LANES } from './custom-ops.ts';
import { customGradient, hasKernel, runKernel } from './registry.ts';

/**
 * Layer normalisation over the last axis (Ba et al. 2016), by the biased variance as in PyTorch.
 * One op each way on the native backend where tailmix's custom op runs; its gradient keeps x, and mean and 1/σ of each row.
 *
 * @param x - `[…, channels]`
 * @param scale - `[channels]`, γ
 * @param shift - `[channels]`, β
 * @param epsilon - added to the variance
 */
export function layerNorm(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, epsilon: number): tf.Tensor {
  if (x.shape.at(-1)! % LANES !== 0 || !hasKernel('TailmixLayerNorm'))
    return composedLayerNorm(x, scale, shift, epsilon);
  return runKernel('TailmixLayerNorm', { x, scale, shift }, { epsilon })[0]!;
}

/**
 * {@link layerNorm} from tfjs's own ops, on any backend. Its gradient keeps x̂ and 1/σ of each row, where that of the ops
 * would keep five arrays of the size of x.
 */
export const composedLayerNorm = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, epsilon: number): tf.Tensor =>
  customGradient(([input, gamma, beta], save) => {
    const centred = input!.sub(input!.mean(-1, true));
    const inverse = centred.square().mean(-1, true).add(epsilon).rsqrt();
    const normalised = centred.mul(inverse);
    save([normalised, inverse, gamma!]);
    return {
      value: normalised.mul(gamma!).add(beta!),
      gradFunc: (dy, saved) => composedGradient(dy, saved as [tf.Tensor, tf.Tensor, tf.Tensor]),
    };
  })(x, scale, shift);

/** `dx = (g − mean(g) − x̂·mean(g·x̂)) / σ` with `g = dy·γ`; `dγ = Σ dy·x̂`, `dβ = Σ dy` over the rows. */
function composedGradient(
  dy: tf.Tensor,
  [normalised, inverse, gamma]: readonly [tf.Tensor, tf.Tensor, tf.Tensor],
): tf.Tensor[] {
  const rows = dy.shape.slice(0, -1).map((_, axis) => axis);
  const g = dy.mul(gamma);
  const along = normalised.mul(g.mul(normalised).mean(-1, true));
  return [g.sub(g.mean(-1, true)).sub(along).mul(inverse), dy.mul(normalised).sum(rows), dy.sum(rows)];
}

/** Gradient of the custom op: that of x and those of γ and β are ops of their own, so that a frozen norm has the first alone. */
export const layerNormGradient: tf.GradConfig = {
  kernelName: 'TailmixLayerNorm',
  inputsToSave: ['x', 'scale'],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved) => {
    const [x, scale, mean, inverse] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const dy = [dys].flat()[0]!;
    const sums = (): tf.Tensor[] => runKernel('TailmixLayerNormSums', { dy, x, mean, inverse });
    return {
      x: () => runKernel('TailmixLayerNormGrad', { dy, x, scale, mean, inverse })[0]!,
      scale: () => sums()[0]!,
      shift: () => sums()[1]!,
    };
  },
};
