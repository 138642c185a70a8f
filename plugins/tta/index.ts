import { definePlugin, type Predict, tf, z } from 'tailmix';
import { pixelsNeeded } from './errors.ts';

const name = 'tta';

const options = z.strictObject({
  flip: z.boolean().default(true).describe('Each view also mirrored, left to right.'),
  crops: z
    .enum(['centre', 'five'])
    .default('centre')
    .describe('The image as it is, or also moved by `padding` into each corner.'),
  padding: z
    .int()
    .min(1)
    .default(4)
    .describe('`five`: pixels by which the image is moved; what comes in is the mean colour.'),
  average: z
    .enum(['logits', 'probabilities'])
    .default('logits')
    .describe('What is averaged. Of probabilities the logarithm is given on.'),
});

type Options = z.output<typeof options>;

/** Moved by (dy, dx) pixels: `[rows, height, width, channels]`, zeros, the mean colour, where nothing was. */
function moved(images: tf.Tensor, dy: number, dx: number, padding: number): tf.Tensor {
  const [rows = 0, height = 0, width = 0, channels = 0] = images.shape;
  const padded = tf.pad(images, [
    [0, 0],
    [padding, padding],
    [padding, padding],
    [0, 0],
  ]);
  return tf.slice(padded, [0, padding + dy, padding + dx, 0], [rows, height, width, channels]);
}

/** The views of images, each of their shape; the images as they are first. */
export function viewsOf(
  images: tf.Tensor,
  { flip, crops, padding }: Pick<Options, 'flip' | 'crops' | 'padding'>,
): tf.Tensor[] {
  const corners =
    crops === 'five' ? [-padding, padding].flatMap((dy) => [-padding, padding].map((dx) => [dy, dx] as const)) : [];
  const placed = [images, ...corners.map(([dy, dx]) => moved(images, dy, dx, padding))];
  return flip ? placed.flatMap((view) => [view, tf.reverse(view, 2)]) : placed;
}

/** The mean over logits `[B, C]` of several views; of probabilities its logarithm. */
export function averaged(logits: readonly tf.Tensor[], average: Options['average']): tf.Tensor {
  const mean = (all: readonly tf.Tensor[]): tf.Tensor => tf.addN([...all]).div(all.length);
  if (average === 'logits') return mean(logits);
  return mean(logits.map((one) => tf.softmax(one)))
    .maximum(1e-38)
    .log();
}

const overViews =
  (predict: Predict, options: Options): Predict =>
  (weights, slots, images, pass) =>
    averaged(
      viewsOf(images, options).map((view) => predict(weights, slots, view, pass)),
      options.average,
    );

/**
 * Test-time augmentation: predicts the mean over views of an image, mirrored and moved. Training is unchanged; evaluation,
 * `predict` and exports have it, and take as many times longer as there are views.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [tta({ flip: true })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: tta
 *     flip: true
 * ```
 * @see Krizhevsky, Sutskever, Hinton, ImageNet Classification with Deep Convolutional Neural Networks, NeurIPS 2012,
 *   section 4.1, https://papers.nips.cc/paper/4824
 */
export default definePlugin({
  name,
  options,
  apply({ hooks, info: { features, imageShape }, warn }, chosen) {
    if (features) throw pixelsNeeded();
    const { flip, crops, padding } = chosen;
    if (!flip && crops === 'centre') warn('NO_EFFECT', 'there is one view: neither flip nor five crops.');
    if (crops === 'five' && padding >= Math.min(imageShape[0], imageShape[1]))
      warn('NOT_INTENDED', `padding is ${padding}: views of images of ${imageShape[0]}×${imageShape[1]} are empty.`);
    hooks.buildPrediction.tap(name, (predict) => overViews(predict, chosen));
  },
});
