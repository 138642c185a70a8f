import { definePlugin, type Extension, extendSeams, type Seam, selectSeams, z } from 'tailmix';
import { bottleneck, constant, kaimingUniform, project } from 'tailmix/plugins/adaptformer';

const name = 'lora';

const options = z.strictObject({
  at: z
    .array(z.string().min(1))
    .default(['block*/attention/query', 'block*/attention/value'])
    .describe('Seams of the network, linear layers, that get a change of low rank; `*` is any characters but `/`.'),
  rank: z
    .int()
    .positive()
    .optional()
    .describe('Rank r. Default: 2^⌊log₂(C / 2L)⌋, at least 1, of C classes and L blocks, as in LIFT.'),
  alpha: z.number().positive().default(1).describe('The change is multiplied by α/r; LIFT has 1.'),
});

/** `part(x) + (α/r)·x·A·B`, with B = 0 at first. */
export function lowRank({ name: at, in: inputs, out }: Seam, rank: number, alpha: number): Extension {
  const [a, b] = [`${name}/${at}/a`, `${name}/${at}/b`];
  return {
    weights: [kaimingUniform(a, [inputs, rank]), constant(b, [rank, out], 'kernel')],
    wrap: (part, x, weights) => part(x).add(project(project(x, weights[a]!), weights[b]!).mul(alpha / rank)),
  };
}

/** The block that a seam is in; its own name where it is in none. */
const blockOf = (seam: string): string => /^(.*\bblock\d+)\//.exec(seam)?.[1] ?? seam;

/**
 * LoRA: trains a change of low rank to the query and value of each block's attention, and the classifier; the rest of the
 * network stays.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', imageSize: 224 },
 *   model: { name: 'vit-tiny-16', head: 'cosine', scale: 25 },
 *   plugins: [lora({ rank: 4 })],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: vit-tiny-16, head: cosine, scale: 25 }
 * plugins:
 *   - use: lora
 *     rank: 4
 * ```
 * @see Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022, https://arxiv.org/abs/2106.09685, section 4.1
 */
export default definePlugin({
  name,
  options,
  extendModel(model, { at, rank, alpha }, { classes }) {
    const seams = selectSeams(model, at);
    const r = rank ?? bottleneck(classes, new Set(seams.map((seam) => blockOf(seam.name))).size);
    return extendSeams(model, seams, (seam) => lowRank(seam, r, alpha));
  },
  trains: () => [],
  apply() {},
});
