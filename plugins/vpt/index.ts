import {
  definePlugin,
  type Model,
  type Seam,
  selectSeams,
  tf,
  type WeightSpec,
  type Wrap,
  wrapSeams,
  z,
} from 'tailmix';

const name = 'vpt';

const options = z.strictObject({
  kind: z
    .enum(['shallow', 'deep'])
    .default('deep')
    .describe('`shallow`: prompts before the first block, which go through all; `deep`: prompts of their own in each.'),
  tokens: z.int().positive().default(10).describe('Number of prompts.'),
  at: z
    .array(z.string().min(1))
    .default(['block*'])
    .describe('Blocks, as seams of the network; `*` is any characters but `/`.'),
});

/** `[rows, tokens, D]` with prompts `[1, n, D]` after the first token, the class token. */
export function withPrompts(x: tf.Tensor, prompts: tf.Tensor): tf.Tensor {
  const [, count, width] = prompts.shape as [number, number, number];
  // Added to zeros instead of repeated, so that the recorded ops hold no number of rows.
  const begin = tf.pad(x.slice([0, 0, 0], [-1, 1, width]), [
    [0, 0],
    [0, count],
    [0, 0],
  ]);
  const own = tf.pad(prompts, [
    [0, 0],
    [1, 0],
    [0, 0],
  ]);
  return tf.concat([begin.add(own), x.slice([0, 1, 0], [-1, -1, width])], 1);
}

/** Without the `count` tokens after the first. */
export function withoutPrompts(x: tf.Tensor, count: number): tf.Tensor {
  const width = x.shape[2]!;
  return tf.concat([x.slice([0, 0, 0], [-1, 1, width]), x.slice([0, 1 + count, 0], [-1, -1, width])], 1);
}

/** Uniform in ±√(6 / (3P² + D)), of patches of P×P pixels with 3 channels. */
function prompts(weight: string, tokens: number, width: number, patch: number): WeightSpec {
  const bound = Math.sqrt(6 / (patch + width));
  const length = tokens * width;
  return {
    name: weight,
    shape: [1, tokens, width],
    kind: 'bias',
    initial: (random) => Float32Array.from({ length }, () => bound * (2 * random.uniform() - 1)),
  };
}

/** The model with prompts before the first of some blocks and dropped after the last, or in each. */
export function withVisualPrompts(
  model: Model,
  blocks: readonly Seam[],
  kind: 'shallow' | 'deep',
  tokens: number,
): Model {
  const inputs = model.weights.find(({ shape }) => shape.length === 4)?.shape.slice(0, 3) ?? [];
  const patch = inputs.reduce((a, b) => a * b, 1);
  const first = blocks[0]!.name;
  const last = blocks.at(-1)!.name;
  const weight = (block: string): string => `${name}/${block}/prompts`;
  const begins = blocks.filter((block) => kind === 'deep' || block.name === first);
  const wraps = blocks.map((block): [string, Wrap] => [
    block.name,
    (part, x, weights) => {
      const own = weights[weight(block.name)];
      const y = part(own ? withPrompts(x, own) : x);
      return kind === 'deep' || block.name === last ? withoutPrompts(y, tokens) : y;
    },
  ]);
  return {
    ...wrapSeams(model, Object.fromEntries(wraps)),
    weights: [...model.weights, ...begins.map((block) => prompts(weight(block.name), tokens, block.in, patch))],
  };
}

/**
 * Visual prompt tuning: trains tokens that are put between the class token and the patches, and the classifier; the rest
 * of the network stays.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', imageSize: 224 },
 *   model: { name: 'vit-tiny-16', head: 'cosine', scale: 25 },
 *   plugins: [vpt({ kind: 'shallow' })],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: vit-tiny-16, head: cosine, scale: 25 }
 * plugins:
 *   - use: vpt
 *     kind: shallow
 * ```
 * @see Jia et al., Visual Prompt Tuning, ECCV 2022, https://arxiv.org/abs/2203.12119, section 3.2
 */
export default definePlugin({
  name,
  options,
  extendModel: (model, { kind, tokens, at }) => withVisualPrompts(model, selectSeams(model, at), kind, tokens),
  trains: () => [],
  apply() {},
});
