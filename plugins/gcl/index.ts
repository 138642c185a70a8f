import { definePlugin, logPrior, oneHot, type Random, tf, z } from 'tailmix';

const name = 'gcl';

const options = z.strictObject({
  noise: z
    .number()
    .min(0)
    .default(0.5)
    .describe('Factor of the clouds; the largest class has none, the rarest all of it.'),
  margin: z.number().min(0).default(0).describe('Subtracted from the label’s cosine, in addition to the noise.'),
  scale: z.number().positive().default(30).describe('Factor s of the cosines after the cloud.'),
});

const NOISE = `${name}/noise`;

/**
 * Size of each class's cloud, `(log n_max − log n_c) / (log n_max − log n_min)`: 0 for the largest class, 1 for the
 * rarest, all 0 for equal counts. A class without images counts as one of a single image.
 *
 * @param classCounts - `[C]`
 * @returns `[C]`
 */
export function cloudSizes(classCounts: readonly number[]): Float64Array {
  const priors = logPrior(classCounts);
  const largest = Math.max(...priors);
  const range = largest - Math.min(...priors);
  return priors.map((prior) => (range > 0 ? (largest - prior) / range : 0));
}

/** `|ε|`, ε normal with deviation 1/3, cut off at ±1: `[length]` in 0…1. */
export const cloudNoise = (length: number, random: Random): Float32Array =>
  Float32Array.from({ length }, () => Math.min(Math.abs(random.normal()) / 3, 1));

/**
 * `scale · (cos_c − noise_c·size_c − margin·[c = y])`.
 *
 * @param logits - `[batch, C]`, cosines times `headScale`
 * @param labels - `[batch]` int32
 * @param noise - `[batch, C]`, in 0…1
 * @param sizes - `[C]`, the factor of the clouds in
 * @returns `[batch, C]`
 */
export function cloudedLogits(
  logits: tf.Tensor,
  labels: tf.Tensor,
  noise: tf.Tensor,
  sizes: Float64Array,
  { scale, margin, headScale }: { scale: number; margin: number; headScale: number },
): tf.Tensor {
  const clouds = noise.mul(tf.tensor1d(Array.from(sizes, (size) => scale * size)));
  const clouded = logits.mul(scale / headScale).sub(clouds);
  if (margin === 0) return clouded;
  return clouded.sub(oneHot(labels, sizes.length).mul(scale * margin));
}

/**
 * Gaussian clouded logits: lowers each cosine by random noise that grows with class rarity, so that rare classes spread
 * out.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'resnet32', head: 'cosine' }, plugins: [gcl()] });
 * ```
 * @example
 * ```yaml
 * model:
 *   name: resnet32
 *   head: cosine
 * plugins:
 *   - use: gcl
 * ```
 * @see Li et al., Long-tailed Visual Recognition via Gaussian Clouded Logit Adjustment, CVPR 2022,
 *   https://arxiv.org/abs/2305.11733
 */
export default definePlugin({
  name,
  options,
  provides: ['loss'],
  head: 'cosine',
  inputs: (_, { classes }) => ({ noise: { shape: ['batch', classes.length], dtype: 'float32' } }),
  apply({ hooks, info: { classes, classCounts, head }, random }, { noise, margin, scale }) {
    const sizes = cloudSizes(classCounts).map((size) => noise * size);
    const headScale = head?.scale ?? 1;
    hooks.onBatch.tap(name, (batch, { epoch, step }) => ({
      ...batch,
      inputs: { ...batch.inputs, [NOISE]: cloudNoise(batch.size * classes.length, random(epoch, step)) },
    }));
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      adjustLogits: (logits, labels, pass) =>
        cloudedLogits(loss.adjustLogits(logits, labels, pass), labels, pass.inputs[NOISE]!, sizes, {
          scale,
          margin,
          headScale,
        }),
    }));
    hooks.buildPrediction.tap(
      name,
      (predict) =>
        (...given) =>
          predict(...given).mul(scale / headScale),
    );
  },
});
