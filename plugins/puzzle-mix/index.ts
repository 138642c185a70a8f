import { type Batch, definePlugin, Order, partners, type Random, type RunInfo, tf, z } from 'tailmix';
import { mixupLambda } from 'tailmix/plugins/mixup';
import { blocksUneven } from './errors.ts';
import { blockShares, keepMask, saliencyOf, toPixels } from './masks.ts';

export { blockShares, keepMask, saliencyOf, toPixels } from './masks.ts';

const name = 'puzzle-mix';

const options = z.strictObject({
  alpha: z.number().min(0).default(1).describe('λ is drawn from Beta(alpha, alpha); 0 mixes nothing (λ = 1).'),
  lambda: z.enum(['batch', 'sample']).default('batch').describe('Draw one λ for the whole batch, or one per sample.'),
  blocks: z
    .array(z.int().min(2).max(16))
    .min(1)
    .optional()
    .describe(
      'Blocks per side that masks are made of; each batch draws one of these numbers. Default: 2, 4, 8 and 16, as far as they divide both sides.',
    ),
});

const USUAL: readonly number[] = [2, 4, 8, 16];
const BLOCKS = `${name}/blocks`;
const KEEP = 'keep';

/**
 * Numbers of blocks per side to draw from, each once.
 *
 * @throws {TailmixError} BLOCKS_UNEVEN where one does not divide the image, or none does.
 */
export function blockNumbers(blocks: readonly number[] | undefined, imageShape: RunInfo['imageShape']): number[] {
  const [height, width] = imageShape;
  const divides = (n: number): boolean => height % n === 0 && width % n === 0;
  if (blocks?.every(divides) === false) throw blocksUneven(blocks, imageShape);
  const chosen = [...new Set(blocks ?? USUAL.filter(divides))];
  if (chosen.length === 0) throw blocksUneven(USUAL, imageShape);
  return chosen;
}

/**
 * Partners and shares of a batch: each row keeps round(λ·n²) of n × n blocks, and its λ is exactly that share.
 *
 * @param blocks - n
 * @returns `pair` `[B]`, a permutation of the rows (of each replica's); `keep` `[B]` blocks of its own; `lambda` `[B]`, `keep` / n²
 */
export function puzzleBatch(
  batch: Pick<Batch, 'size' | 'replicas'>,
  blocks: number,
  { alpha, lambda: per }: Pick<z.output<typeof options>, 'alpha' | 'lambda'>,
  random: Random,
): { pair: Int32Array; keep: Float32Array; lambda: Float32Array } {
  const pair = partners(batch, random);
  const draw = (): number => Math.round(mixupLambda(alpha, random) * blocks ** 2);
  const keep = new Float32Array(batch.size);
  if (per === 'sample') for (let i = 0; i < keep.length; i++) keep[i] = draw();
  else keep.fill(draw());
  return { pair, keep, lambda: keep.map((count) => count / blocks ** 2) };
}

/**
 * Masks of Puzzle Mix: of each pair of images a mixed one keeps the blocks that matter most, by the gradient of the loss for
 * the pixels, and labels are weighed by the share of the blocks.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [puzzleMix({ alpha: 1 })] });
 * ```
 * @example
 * ```yaml
 * model: { name: small-cnn }
 * plugins:
 *   - use: puzzle-mix
 *     alpha: 1
 * ```
 * @see Kim et al., Puzzle Mix: Exploiting Saliency and Local Statistics for Optimal Mixup, ICML 2020,
 *   https://arxiv.org/abs/2009.06962, section 4.1
 */
export default definePlugin({
  name,
  options,
  provides: ['mix'],
  conflicts: ({ alpha }) => (alpha === 0 ? { relabel: 'alpha is 0: nothing is mixed, and no label changes.' } : {}),
  inputs: () => ({ [KEEP]: { shape: ['batch'], dtype: 'float32' } }),
  variants: ({ blocks }, { imageShape }) => ({
    mix: ['input:mask'],
    [BLOCKS]: blockNumbers(blocks, imageShape).map(String),
  }),
  apply({ hooks, random, info: { imageShape, replicas = 1, pairs } }, { blocks, ...options }) {
    const [height, width] = imageShape;
    const numbers = blockNumbers(blocks, imageShape);
    hooks.onBatch.tap({ name, stage: Order.Mix }, (batch, { epoch, step }) => {
      const stream = random(epoch, step);
      const drawn = numbers[stream.integer(numbers.length)]!;
      const { pair, keep, lambda } = puzzleBatch(batch, drawn, options, stream);
      return {
        ...batch,
        pair,
        lambda,
        variants: { ...batch.variants, [BLOCKS]: String(drawn) },
        inputs: { ...batch.inputs, [`${name}/${KEEP}`]: keep },
      };
    });
    /** Partners may be of other replicas, and their images come with them; else they are among the rows. */
    const areElsewhere = replicas > 1 && pairs === 'global';
    hooks.buildMask.tap(name, (_, judge) => (weights, pass) => {
      const { images, labels, pairLabels, mixMatrix } = pass.inputs as Record<string, tf.Tensor>;
      const [size, pool] = mixMatrix!.shape as [number, number];
      const count = Number(pass.variants[BLOCKS]);
      const sharesOf = (rows: tf.Tensor, of: tf.Tensor): tf.Tensor2D =>
        blockShares(saliencyOf(judge, weights, rows, of, pass), count);
      const own = sharesOf(images!.slice(0, size), labels!);
      const partner = areElsewhere
        ? sharesOf(
            tf.matMul(mixMatrix!, images!.reshape([pool, -1])).reshape([size, ...images!.shape.slice(1)]),
            pairLabels!,
          )
        : tf.matMul(mixMatrix!.slice([0, 0], [size, size]), own);
      return toPixels(keepMask(own, partner, pass.inputs[`${name}/${KEEP}`]!), count, height, width);
    });
  },
});
