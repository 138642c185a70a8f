import { definePlugin, type Model, z } from 'tailmix';
import { requireClassifier } from 'tailmix/plugins/tau-norm';
import { tooFewFeatures } from './errors.ts';

const name = 'etf-head';

const options = z.strictObject({});

const KERNEL = 'classifier/kernel';

/**
 * `[D × K]` with orthonormal columns that span those of a matrix: Gram and Schmidt's, each column twice, so that they are
 * orthogonal to float64.
 *
 * @param drawn - `[D × K]`, row-major, D ≥ K, with columns that are linearly independent
 */
function orthonormal(drawn: Float64Array, columns: number): Float64Array {
  const basis = drawn.slice();
  const rows = basis.length / columns;
  const dot = (a: number, b: number): number => {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += basis[r * columns + a]! * basis[r * columns + b]!;
    return sum;
  };
  for (let c = 0; c < columns; c++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let before = 0; before < c; before++) {
        const share = dot(c, before);
        for (let r = 0; r < rows; r++) basis[r * columns + c]! -= share * basis[r * columns + before]!;
      }
    }
    const length = Math.sqrt(dot(c, c));
    for (let r = 0; r < rows; r++) basis[r * columns + c]! /= length;
  }
  return basis;
}

/**
 * Simplex equiangular tight frame `√(K/(K−1))·U·(I − 11ᵀ/K)`: K directions of length 1, each pair with the cosine −1/(K−1)
 * (Yang et al. 2022, eq. 1). U has the orthonormal columns of a matrix that was drawn.
 *
 * @param drawn - `[D × K]`, row-major, D ≥ K
 * @returns `[D × K]`, a class in each column
 */
export function simplexFrame(drawn: Float64Array, classes: number): Float32Array {
  const basis = orthonormal(drawn, classes);
  const factor = Math.sqrt(classes / (classes - 1));
  return Float32Array.from(basis, (value, at) => {
    const row = at - (at % classes);
    const mean = basis.subarray(row, row + classes).reduce((sum, one) => sum + one, 0) / classes;
    return factor * (value - mean);
  });
}

/** The model with a classifier that no step changes. */
const fixedClassifier = (model: Model): Model => ({
  ...requireClassifier(name, model),
  weights: model.weights.map((weight) => (weight.name === KERNEL ? { ...weight, kind: 'state' } : weight)),
});

/**
 * ETF head: a cosine classifier that is never trained, whose class vectors are as far apart as can be, for rare classes
 * as for frequent ones. The network alone learns.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'small-cnn', head: 'cosine', scale: 25 },
 *   plugins: [etfHead()],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn, head: cosine, scale: 25 }
 * plugins:
 *   - use: etf-head
 * ```
 * @see Yang et al., Inducing Neural Collapse in Imbalanced Learning: Do We Really Need a Learnable Classifier at the End
 *   of Deep Neural Network?, NeurIPS 2022, https://arxiv.org/abs/2203.09081
 */
export default definePlugin({
  name,
  options,
  provides: ['head'],
  head: 'cosine',
  extendModel(model, _, { classes }) {
    if (model.featureSize < classes) throw tooFewFeatures(model.featureSize, classes);
    return fixedClassifier(model);
  },
  initialWeights({ info, model, random }) {
    const classes = info.classes.length;
    const stream = random();
    const drawn = Float64Array.from({ length: model.featureSize * classes }, () => stream.normal());
    return { [KERNEL]: simplexFrame(drawn, classes) };
  },
  apply() {},
});
