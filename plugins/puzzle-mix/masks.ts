import { type Forward, type Loss, type NamedTensors, type Pass, tf } from 'tailmix';

/** What a saliency is computed by: the network and the loss, as all plugins made them. */
export interface Judge {
  forward: Forward;
  loss: Loss;
}

/**
 * Saliency of each pixel: the root mean square, over channels, of the gradient of the loss of the image's label for it (Kim et
 * al. 2020, section 3; the mean as in their code). Nothing mixes, and the network normalises by its running statistics, so
 * that a row's saliency depends on no other row.
 *
 * @param images - `[B, height, width, channels]`, normalised
 * @param labels - `[B]` int32
 * @returns `[B, height, width]`, float32, 0 or more
 */
export function saliencyOf(
  { forward, loss }: Judge,
  weights: NamedTensors,
  images: tf.Tensor,
  labels: tf.Tensor,
  pass: Pass,
): tf.Tensor3D {
  const plain: Pass = { ...pass, training: false, atStage: (_, features) => features };
  const lossOf = (x: tf.Tensor): tf.Tensor => {
    const { logits } = forward(weights, x, plain);
    return loss.termLoss(loss.adjustLogits(logits, labels, pass), labels, pass).sum();
  };
  return tf.grad(lossOf)(images).square().mean(-1).sqrt() as tf.Tensor3D;
}

/** A gradient that is 0 everywhere has no blocks to tell apart: its shares are 0, and not NaN. */
const SMALLEST = 1e-30;

/**
 * The share that each of n × n blocks has of an image's saliency: means over blocks, divided by their sum (Kim et al. 2020,
 * section 4.1, and their code).
 *
 * @param saliency - `[B, height, width]`; `blocks` divides both sides
 * @param blocks - n, per side
 * @returns `[B, n²]`, row after row
 */
export function blockShares(saliency: tf.Tensor3D, blocks: number): tf.Tensor2D {
  const [size, height, width] = saliency.shape;
  const means = saliency
    .reshape([size, blocks, height / blocks, blocks, width / blocks])
    .mean([2, 4])
    .reshape<tf.Tensor2D>([size, blocks * blocks]);
  return means.div(means.sum(1, true).maximum(SMALLEST));
}

/**
 * The mask that keeps most saliency: z in {0, 1} with Σ_p z_p = keep that maximises Σ_p z_p·own_p + (1 − z_p)·partner_p, which are
 * the `keep` blocks with the largest own_p − partner_p (Kim et al. 2020, section 4.1, without smoothness and with the share as
 * a constraint). Of equal ones the first are kept.
 *
 * @param own - `[B, P]`, shares of saliency of the row's image
 * @param partner - `[B, P]`, of its partner's
 * @param keep - `[B]`, whole numbers in 0…P
 * @returns `[B, P]`, 1 where the row's own block stays; exactly `keep` of them
 */
export function keepMask(own: tf.Tensor, partner: tf.Tensor, keep: tf.Tensor): tf.Tensor {
  const gain = own.sub(partner);
  const [size, blocks] = gain.shape as [number, number];
  const mine = gain.reshape([size, blocks, 1]);
  const other = gain.reshape([size, 1, blocks]);
  const places = tf.range(0, blocks);
  const isBefore = places
    .reshape([1, blocks])
    .less(places.reshape([blocks, 1]))
    .cast('float32');
  const ahead = other.greater(mine).cast('float32').add(other.equal(mine).cast('float32').mul(isBefore));
  return ahead
    .sum(2)
    .less(keep.reshape([size, 1]))
    .cast('float32');
}

/** Blocks `[B, n²]` as pixels, `[B, height, width, 1]`. */
export function toPixels(mask: tf.Tensor, blocks: number, height: number, width: number): tf.Tensor {
  const size = mask.shape[0]!;
  const ones = tf.ones([1, 1, height / blocks, 1, width / blocks]);
  return mask.reshape([size, blocks, 1, blocks, 1]).mul(ones).reshape([size, height, width, 1]);
}
