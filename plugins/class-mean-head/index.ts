import { createClassMeans, definePlugin, z } from 'tailmix';

const name = 'class-mean-head';

const options = z.strictObject({});

const KERNEL = 'classifier/kernel';

/**
 * Columns of a cosine classifier: the direction of each class's mean, and what was there for a class without images.
 *
 * @param directions - `[C × D]`, NaN for a class without images
 * @param before - `[D × C]`, the kernel as it would begin
 * @returns `[D × C]`
 */
export const meanKernel = (directions: Float64Array, before: Float32Array, classes: number): Float32Array =>
  before.map((drawn, at) => {
    const size = before.length / classes;
    const mean = directions[(at % classes) * size + Math.floor(at / classes)]!;
    return Number.isNaN(mean) ? drawn : mean;
  });

/**
 * Class-mean head: a cosine classifier begins with the mean of each class's features, as the network gives them before
 * training.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'small-cnn', head: 'cosine', scale: 25 },
 *   plugins: [classMeanHead()],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn, head: cosine, scale: 25 }
 * plugins:
 *   - use: class-mean-head
 * ```
 * @see Shi et al., Long-Tail Learning with Foundation Model: Heavy Fine-Tuning Hurts, ICML 2024,
 *   https://arxiv.org/abs/2309.10019, section 4.3
 */
export default definePlugin({
  name,
  options,
  provides: ['head'],
  head: 'cosine',
  async initialWeights({ info, model, valuesOf, features }) {
    const classes = info.classes.length;
    const means = createClassMeans(classes, model.featureSize);
    for await (const rows of features()) means.add(rows);
    return { [KERNEL]: meanKernel(means.directions(), valuesOf(KERNEL) ?? new Float32Array(), classes) };
  },
  apply({ info: { start }, warn }) {
    if (start.init === null) {
      warn('NOT_INTENDED', 'means of features that no training has shaped. Set model.weights or model.init.');
    }
  },
});
