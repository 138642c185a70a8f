import { tf } from 'tailmix';

/** From this order on the expansion is exact to single precision. */
const ENOUGH = 16;

/** U_k(p) of the expansion for large orders, factors of p^k, p^(k+2), … over a common divisor (DLMF 10.41.10). */
const TERMS: readonly (readonly [divisor: number, factors: readonly number[]])[] = [
  [24, [3, -5]],
  [1152, [81, -462, 385]],
  [414720, [30375, -369603, 765765, -425425]],
  [39813120, [4465125, -94121676, 349922430, -446185740, 185910725]],
];

/** log I_n(x) − x for a large order n: Debye's expansion, uniform in x (DLMF 10.41.3). */
function debye(n: number, x: tf.Tensor): tf.Tensor {
  const root = x
    .square()
    .add(n * n)
    .sqrt();
  const p = tf.div(n, root);
  const series = TERMS.reduce<tf.Tensor>((sum, [divisor, factors], k) => {
    const polynomial = factors.reduceRight<tf.Tensor>(
      (inner, factor) => inner.mul(p.square()).add(factor / divisor),
      tf.zerosLike(p),
    );
    return sum.add(polynomial.mul(tf.pow(p, k + 1)).div(n ** (k + 1)));
  }, tf.onesLike(p));
  const exponent = tf.div(n * n, root.add(x)).sub(tf.asinh(tf.div(n, x)).mul(n));
  return exponent
    .sub(
      root
        .mul(2 * Math.PI)
        .log()
        .mul(0.5),
    )
    .add(series.log());
}

/**
 * The modified Bessel function of the first kind, for x > 0: by its expansion for large orders, from which smaller ones follow
 * by the recurrence 1/r_(n−1) = 2n/x + r_n.
 *
 * @param order - n ≥ 0, whole or half
 * @returns `log`: log I_n(x) − x; `ratio`: r_n = I_(n+1)(x) / I_n(x), at most 1; both of the shape of x, within 1e-5
 */
export function bessel(order: number, x: tf.Tensor): { log: tf.Tensor; ratio: tf.Tensor } {
  const steps = Math.max(0, Math.ceil(ENOUGH - order));
  let n = order + steps;
  let log = debye(n, x);
  let ratio = debye(n + 1, x)
    .sub(log)
    .exp();
  for (; n > order; n--) {
    ratio = x.div(x.mul(ratio).add(2 * n));
    log = log.sub(ratio.log());
  }
  return { log, ratio: ratio.minimum(1) };
}
