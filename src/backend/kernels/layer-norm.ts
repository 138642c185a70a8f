import type { tf } from '../../tf.ts';
import { customGradient } from './registry.ts';

/**
 * Layer normalisation over the last axis (Ba et al. 2016), by the biased variance as in PyTorch.
 * Its gradient keeps x̂ and 1/σ of each row, where tfjs's own ops would keep five arrays of the size of x.
 *
 * @param x - `[…, channels]`
 * @param scale - `[channels]`, γ
 * @param shift - `[channels]`, β
 * @param epsilon - added to the variance
 */
export const layerNorm = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, epsilon: number): tf.Tensor =>
  customGradient(([input, gamma, beta], save) => {
    const centred = input!.sub(input!.mean(-1, true));
    const inverse = centred.square().mean(-1, true).add(epsilon).rsqrt();
    const normalised = centred.mul(inverse);
    save([normalised, inverse, gamma!]);
    return {
      value: normalised.mul(gamma!).add(beta!),
      gradFunc: (dy, saved) => layerNormGradient(dy, saved as [tf.Tensor, tf.Tensor, tf.Tensor]),
    };
  })(x, scale, shift);

/** `dx = (g − mean(g) − x̂·mean(g·x̂)) / σ` with `g = dy·γ`; `dγ = Σ dy·x̂`, `dβ = Σ dy` over the rows. */
function layerNormGradient(
  dy: tf.Tensor,
  [normalised, inverse, gamma]: readonly [tf.Tensor, tf.Tensor, tf.Tensor],
): tf.Tensor[] {
  const rows = dy.shape.slice(0, -1).map((_, axis) => axis);
  const g = dy.mul(gamma);
  const along = normalised.mul(g.mul(normalised).mean(-1, true));
  return [g.sub(g.mean(-1, true)).sub(along).mul(inverse), dy.mul(normalised).sum(rows), dy.sum(rows)];
}
