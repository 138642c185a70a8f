import { definePlugin, type Model, z } from 'tailmix';
import { requireClassifier } from 'tailmix/plugins/tau-norm';
import { tooFewFeatures } from './errors.ts';

const name = 'etf-head';

const options = z.strictObject({});

const KERNEL = 'classifier/kernel';

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let r = 0; r < a.length; r++) sum += a[r]! * b[r]!;
  return sum;
};

/**
 * Orthonormal vectors that span linearly independent ones: Gram and Schmidt's, each vector twice, so that they are
 * orthogonal to float64.
 */
function orthonormal(drawn: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of drawn) {
    const rest = vector.slice();
    for (let pass = 0; pass < 2; pass++) {
      for (const before of basis) {
        const share = dot(rest, before);
        for (let r = 0; r < rest.length; r++) rest[r]! -= share * before[r]!;
      }
    }
    const length = Math.sqrt(dot(rest, rest));
    basis.push(rest.map((value) => value / length));
  }
  return basis;
}

/**
 * Simplex equiangular tight frame `√(K/(K−1))·U·(I − 11ᵀ/K)`: K directions of length 1, each pair with the cosine −1/(K−1)
 * (Yang et al. 2022, eq. 1). U has the orthonormal columns of a matrix that was drawn.
 *
 * @param drawn - `[D × K]`, row-major, D ≥ K, with columns that are linearly independent
 * @returns `[D × K]`, a class in each column
 */
export function simplexFrame(drawn: Float64Array, classes: number): Float32Array {
  const rows = drawn.length / classes;
  const columnOf = (c: number) => Float64Array.from({ length: rows }, (_, row) => drawn[row * classes + c]!);
  const basis = orthonormal(Array.from({ length: classes }, (_, c) => columnOf(c)));
  const factor = Math.sqrt(classes / (classes - 1));
  const frame = new Float32Array(drawn.length);
  for (let row = 0; row < rows; row++) {
    const mean = basis.reduce((sum, column) => sum + column[row]!, 0) / classes;
    frame.set(
      basis.map((column) => factor * (column[row]! - mean)),
      row * classes,
    );
  }
  return frame;
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
