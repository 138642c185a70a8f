import { type NamedTensors, type Random, tf, type WeightSpec } from 'tailmix';

/** Sides of the square filters of all convolutions; each halves or doubles an image. */
const SIDE = 4;
/** Images are halved until a side has at most so many pixels, and at most so often. */
const SMALLEST = 4;
const MOST = 4;
const LEAK = 0.2;

export interface AutoencoderOptions {
  /** Channels after the first convolution; each further one has twice as many. */
  width: number;
  /** Length of a code. */
  codes: number;
}

/** An encoder and a decoder of images, as pure functions of their weights. */
export interface Autoencoder {
  weights: readonly Omit<WeightSpec, 'kind'>[];
  /** Pixels `[n, H, W, C]` in 0…1 → codes `[n, d]`. */
  encode(pixels: tf.Tensor, weights: NamedTensors): tf.Tensor;
  /** Codes `[n, d]` → pixels `[n, H, W, C]` in 0…1. */
  decode(codes: tf.Tensor, weights: NamedTensors): tf.Tensor;
}

/**
 * Convolutions with stride 2 and leaky ReLUs to a code, and back by transposed ones with ReLUs and a sigmoid, as DCGAN has them
 * (Dablain et al. 2022, section III), without batch norm.
 *
 * @param imageShape - `[H, W, C]`, of any size
 */
export function autoencoder(
  imageShape: readonly [number, number, number],
  { width, codes }: AutoencoderOptions,
): Autoencoder {
  const [height, width0, channels] = imageShape;
  const sizes: [number, number, number][] = [[height, width0, channels]];
  while (sizes.length === 1 || (sizes.length <= MOST && Math.min(...sizes.at(-1)!.slice(0, 2)) > SMALLEST)) {
    const [rows, columns] = sizes.at(-1)!;
    sizes.push([Math.ceil(rows / 2), Math.ceil(columns / 2), width * 2 ** (sizes.length - 1)]);
  }
  const smallest = sizes.at(-1)!;
  const flat = smallest[0] * smallest[1] * smallest[2];
  const levels = Array.from({ length: sizes.length - 1 }, (_, i) => i + 1);
  const kernel = (name: string, shape: number[], inputs: number) => ({
    name,
    shape,
    initial: (random: Random) =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal() * Math.sqrt(2 / inputs)),
  });
  const bias = (name: string, length: number) => ({ name, shape: [length], initial: () => new Float32Array(length) });
  const layer = (name: string, shape: number[], inputs: number, outputs: number) => [
    kernel(`${name}/kernel`, shape, inputs),
    bias(`${name}/bias`, outputs),
  ];
  const channelsAt = (level: number): number => sizes[level]![2];
  return {
    weights: [
      ...levels.flatMap((level) => {
        const [from, to] = [channelsAt(level - 1), channelsAt(level)];
        return layer(`encoder/${level}`, [SIDE, SIDE, from, to], SIDE * SIDE * from, to);
      }),
      ...layer('encoder/code', [flat, codes], flat, codes),
      ...layer('decoder/code', [codes, flat], codes, flat),
      ...levels.flatMap((level) => {
        const [from, to] = [channelsAt(level), channelsAt(level - 1)];
        // A pixel of the result sees a quarter of the filter.
        return layer(`decoder/${level}`, [SIDE, SIDE, to, from], (SIDE * SIDE * from) / 4, to);
      }),
    ],
    encode(pixels, weights) {
      const maps = levels.reduce<tf.Tensor>((x, level) => {
        const filter = weights[`encoder/${level}/kernel`] as tf.Tensor4D;
        const y = tf.conv2d(x as tf.Tensor4D, filter, 2, 'same').add(weights[`encoder/${level}/bias`]!);
        return y.maximum(y.mul(LEAK));
      }, pixels);
      return tf
        .matMul(maps.reshape([maps.shape[0]!, flat]), weights['encoder/code/kernel']!)
        .add(weights['encoder/code/bias']!);
    },
    decode(given, weights) {
      const rows = given.shape[0]!;
      const first = tf.matMul(given, weights['decoder/code/kernel']!).add(weights['decoder/code/bias']!).relu();
      const last = levels.toReversed().reduce<tf.Tensor>(
        (x, level) => {
          const filter = weights[`decoder/${level}/kernel`] as tf.Tensor4D;
          const shape: [number, number, number, number] = [rows, ...sizes[level - 1]!];
          const y = tf
            .conv2dTranspose(x as tf.Tensor4D, filter, shape, 2, 'same')
            .add(weights[`decoder/${level}/bias`]!);
          return level === 1 ? y.sigmoid() : y.relu();
        },
        first.reshape([rows, ...smallest]),
      );
      return last;
    },
  };
}

/**
 * What the autoencoder is trained by: the mean squared error of the images, and the penalty: that of images made of the codes of others of
 * the same class, the mean over the classes that the batch has (Dablain et al. 2022, algorithm 1).
 *
 * @param pixels - `[B, H, W, C]` in 0…1
 * @param order - `[B]` int32, for each row another one of its class
 * @param shares - `[B]`, share of each row in the penalty; they sum to 1
 * @returns scalars
 */
export function autoencoderLosses(
  { encode, decode }: Autoencoder,
  weights: NamedTensors,
  { pixels, order, shares }: { pixels: tf.Tensor; order: tf.Tensor; shares: tf.Tensor },
): { reconstruction: tf.Tensor; penalty: tf.Tensor } {
  const codes = encode(pixels, weights);
  const errors = (of: tf.Tensor): tf.Tensor => decode(of, weights).sub(pixels).square().mean([1, 2, 3]);
  return { reconstruction: errors(codes).mean(), penalty: errors(codes.gather(order)).mul(shares).sum() };
}
