import { definePlugin, type Model, z } from 'tailmix';
import { nothingToTune } from './errors.ts';

export { nothingToTune } from './errors.ts';

const name = 'bitfit';

const options = z.strictObject({});

const IN_BLOCK = /(^|\/)block\d+\//;

/** Biases of linear layers and convolutions inside of blocks, and shifts of norms. */
export const biasesOf = ({ weights }: Pick<Model, 'weights'>): string[] =>
  weights
    .filter(({ name: weight, kind }) => IN_BLOCK.test(weight) && (kind === 'bias' || weight.endsWith('/shift')))
    .map(({ name: weight }) => weight);

/**
 * BitFit: trains the biases of all blocks and the classifier; the rest of the network stays.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', imageSize: 224 },
 *   model: { name: 'vit-tiny-16', head: 'cosine', scale: 25 },
 *   plugins: [bitfit()],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: vit-tiny-16, head: cosine, scale: 25 }
 * plugins:
 *   - use: bitfit
 * ```
 * @see Ben Zaken et al., BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models, ACL
 *   2022, https://arxiv.org/abs/2106.10199, section 3
 */
export default definePlugin({
  name,
  options,
  trains(model) {
    const biases = biasesOf(model);
    if (biases.length === 0) throw nothingToTune(name, model.name, 'biases in blocks');
    return biases;
  },
  apply() {},
});
