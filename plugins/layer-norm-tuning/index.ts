import { definePlugin, type Model, z } from 'tailmix';
import { nothingToTune } from 'tailmix/plugins/bitfit';

const name = 'layer-norm-tuning';

const options = z.strictObject({});

/** Scales and shifts of all norms. */
export const normsOf = ({ weights }: Pick<Model, 'weights'>): string[] =>
  weights
    .filter(({ name: weight, kind }) => kind === 'norm' && /\/(scale|shift)$/.test(weight))
    .map(({ name: weight }) => weight);

/**
 * Layer norm tuning: trains scale and shift of all norms, and the classifier; the rest of the network stays.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', imageSize: 224 },
 *   model: { name: 'vit-tiny-16', head: 'cosine', scale: 25 },
 *   plugins: [layerNormTuning()],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: vit-tiny-16, head: cosine, scale: 25 }
 * plugins:
 *   - use: layer-norm-tuning
 * ```
 * @see Kim et al., How to Adapt Your Large-Scale Vision-and-Language Model, 2021,
 *   https://openreview.net/forum?id=EhwEUb2ynIa
 */
export default definePlugin({
  name,
  options,
  trains(model) {
    const norms = normsOf(model);
    if (norms.length === 0) throw nothingToTune(name, model.name, 'norms');
    return norms;
  },
  apply() {},
});
