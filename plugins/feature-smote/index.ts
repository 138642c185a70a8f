import {
  definePlugin,
  type Forward,
  forwardFrom,
  forwardRows,
  inverseFrequencyWeights,
  rowsOf,
  softmaxCrossEntropy,
  stopGradient,
  tf,
  z,
} from 'tailmix';

const name = 'feature-smote';

const options = z.strictObject({
  neighbours: z.int().min(1).default(5).describe('k: an image is mixed with one of its k nearest of the same class.'),
  weight: z.number().min(0).default(1).describe('What the loss of the synthetic rows counts beside that of the batch.'),
});

const ROWS = `${name}/rows`;
const LABELS = `${name}/labels`;
const RANKS = `${name}/ranks`;
const SHARES = `${name}/shares`;
const SYNTHETIC = `${name}/synthetic`;

/** Larger than any distance that there is. */
const FAR = 1e30;

/** `[n, length]`, true at one place a row. */
const at = (place: tf.Tensor, length: number): tf.Tensor => place.expandDims(1).equal(tf.range(0, length, 1, 'int32'));

/**
 * `[n, n]`, one 1 a row: which of the k nearest rows of its class a row is mixed with; itself where it is alone.
 *
 * @param features - `[n, D]`, with squared Euclidean distances
 * @param labels - `[n]` int32
 * @param ranks - `[n]` in 0…1: 0 takes the nearest, just below 1 the farthest of the k
 */
export function chosenNeighbours(features: tf.Tensor, labels: tf.Tensor, ranks: tf.Tensor, k: number): tf.Tensor {
  const rows = labels.shape[0]!;
  const squares = features.square().sum(1, true);
  const distances = squares.add(squares.transpose()).sub(tf.matMul(features, features, false, true).mul(2));
  const self = tf.eye(rows);
  const alike = labels.expandDims(1).equal(labels.expandDims(0)).cast('float32').sub(self);
  const nearest = tf.topk(distances.mul(alike).add(tf.sub(1, alike).mul(FAR)).neg(), Math.min(k, rows));
  const found = nearest.values
    .greater(-FAR / 2)
    .cast('float32')
    .sum(1);
  const place = ranks
    .mul(found)
    .floor()
    .minimum(tf.maximum(found.sub(1), 0))
    .cast('int32');
  const index = nearest.indices.mul(at(place, nearest.indices.shape[1]!).cast('int32')).sum(1);
  const isFound = found.greater(0).cast('float32').expandDims(1);
  return at(index.cast('int32'), rows)
    .cast('float32')
    .mul(isFound)
    .add(self.mul(tf.sub(1, isFound)));
}

/**
 * x + u·(x̂ − x) for a row x and its neighbour x̂ (Chawla et al. 2002, section 4.2).
 *
 * @param x - `[n, …]`
 * @param chosen - `[n, n]`, of {@link chosenNeighbours}
 * @param shares - `[n]`, u in 0…1
 */
export function interpolated(x: tf.Tensor, chosen: tf.Tensor, shares: tf.Tensor): tf.Tensor {
  const flat = x.reshape([x.shape[0]!, -1]);
  return flat.add(tf.matMul(chosen, flat).sub(flat).mul(shares.expandDims(1))).reshape(x.shape);
}

/** A forward pass that also gives the logits of the synthetic rows, `extras['feature-smote/synthetic']`, `[B, C]`. */
export const withSynthetic =
  (forward: Forward, stage: string, k: number): Forward =>
  (weights, images, pass) => {
    if (!pass.training) return forward(weights, images, pass);
    let last: tf.Tensor | undefined;
    const watched: Forward = (all, x, { atStage, ...rest }) =>
      forward(all, x, {
        ...rest,
        atStage(reached, features) {
          const after = atStage(reached, features);
          if (reached === stage) last = after;
          return after;
        },
      });
    const { outputs, groups } = forwardRows(watched, weights, images, pass, [ROWS]);
    const { features } = groups[ROWS]!;
    const { inputs } = pass;
    const chosen = chosenNeighbours(stopGradient(features), inputs[LABELS]!, inputs[RANKS]!, k);
    const size = features.shape[0]!;
    const rows = rowsOf(last!, last!.shape[0]! - size, size);
    const from = { stage, features: interpolated(rows, chosen, inputs[SHARES]!) };
    const { logits } = forwardFrom(forward, weights, from, pass);
    return { ...outputs, extras: { ...outputs.extras, [SYNTHETIC]: logits } };
  };

/**
 * SMOTE in feature space: beside the batch, rows drawn with classes alike are mixed with neighbours of their class in the
 * network's features, so that rare classes have more than their images.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [featureSmote({ neighbours: 5 })] });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn }
 * plugins:
 *   - use: feature-smote
 *     neighbours: 5
 * ```
 * @see Chawla et al., SMOTE: Synthetic Minority Over-sampling Technique, JAIR 16 (2002), https://arxiv.org/abs/1106.1813
 * @see Dablain, Krawczyk, Chawla, DeepSMOTE, IEEE TNNLS 2022, https://arxiv.org/abs/2105.02340
 */
export default definePlugin({
  name,
  options,
  provides: ['branches'],
  corrects: ({ weight }) => (weight > 0 ? 'class prior' : null),
  rows: (_, { classCounts }) => ({ rows: { weights: () => inverseFrequencyWeights(classCounts) } }),
  inputs: () => ({
    labels: { shape: ['batch'], dtype: 'int32' },
    ranks: { shape: ['batch'], dtype: 'float32' },
    shares: { shape: ['batch'], dtype: 'float32' },
  }),
  apply({ hooks, random, info: { modelStages }, warn }, { neighbours, weight }) {
    if (weight === 0) warn('NO_EFFECT', 'weight is 0: synthetic rows are not trained on.');
    hooks.onBatch.tap(name, (batch, { epoch, step }) => {
      const stream = random(epoch, step);
      const drawn = () => Float32Array.from({ length: batch.size }, () => stream.uniform());
      const { start, size } = batch.groups[ROWS]!;
      const own = { [LABELS]: batch.labels.slice(start, start + size), [RANKS]: drawn(), [SHARES]: drawn() };
      return { ...batch, inputs: { ...batch.inputs, ...own } };
    });
    hooks.buildModel.tap(name, (forward) => withSynthetic(forward, modelStages.at(-1)!, neighbours));
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      penalties: {
        ...loss.penalties,
        [name]: ({ extras }, _, { inputs }) =>
          softmaxCrossEntropy(extras![SYNTHETIC]!, inputs[LABELS]!).mean().mul(weight),
      },
    }));
  },
});
