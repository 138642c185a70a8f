import { type Gradients, type RunInfo, rowsOf, tf } from 'tailmix';
import { chosenNeighbours, interpolated } from 'tailmix/plugins/feature-smote';
import type { AdamState } from 'tailmix/plugins/meta-weight-net';
import { type Autoencoder, autoencoderLosses } from './autoencoder.ts';

export const NAME = 'deep-smote';

/** Values of the variant `deep-smote`: the autoencoder is trained, or makes images. */
export const LEARN = 'learn';
export const MAKE = 'make';

const input = (part: string): string => `${NAME}/${part}`;
export const [ORDER, SHARES, TAKE, RANKS, TOWARDS] = ['order', 'shares', 'take', 'ranks', 'towards'].map(input) as [
  string,
  string,
  string,
  string,
  string,
];

export interface StepOptions {
  neighbours: number;
  /** Factor of the penalty. */
  penalty: number;
  learningRate: number;
}

/**
 * Gradients of a batch beside which the autoencoder learns (`learn`), or in which some rows have an image that it makes of a code
 * between theirs and that of one of their neighbours (`make`).
 */
export const withSynthetic =
  (
    gradients: Gradients,
    { net, state }: { net: Autoencoder; state: AdamState },
    { mean, std }: Pick<RunInfo, 'mean' | 'std'>,
    { neighbours, penalty, learningRate }: StepOptions,
  ): Gradients =>
  (weights, pass) => {
    const {
      images,
      labels,
      [ORDER]: order,
      [SHARES]: shares,
      [TAKE]: take,
      [RANKS]: ranks,
      [TOWARDS]: towards,
    } = pass.inputs;
    const [size, pool] = [labels!.shape[0]!, images!.shape[0]!];
    const rows = rowsOf(images!, 0, size);
    const [mu, sigma] = [tf.tensor1d([...mean]), tf.tensor1d([...std])];
    const pixels = rows.mul(sigma).add(mu).clipByValue(0, 1);
    const own = state.of(weights);
    const figures = (reconstruction: tf.Tensor, share: tf.Tensor) => ({
      [`${NAME}/reconstruction`]: reconstruction,
      [`${NAME}/rows`]: share,
    });

    if (pass.variants[NAME] === LEARN) {
      const names = Object.keys(own);
      const lossesAt = (given: readonly tf.Tensor[]) =>
        autoencoderLosses(net, Object.fromEntries(names.map((name, i) => [name, given[i]!])), {
          pixels,
          order: order!,
          shares: shares!,
        });
      const slopes = tf.grads((...given: tf.Tensor[]) => {
        const { reconstruction, penalty: of } = lossesAt(given);
        return reconstruction.add(of.mul(penalty));
      })(Object.values(own));
      const next = state.next(weights, Object.fromEntries(names.map((name, i) => [name, slopes[i]!])), learningRate);
      const found = gradients(weights, pass);
      const { reconstruction } = lossesAt(Object.values(own));
      return {
        ...found,
        figures: { ...found.figures, ...figures(reconstruction, tf.scalar(0)) },
        outputs: { ...found.outputs, statistics: { ...found.outputs.statistics, ...next } },
      };
    }

    const codes = net.encode(pixels, own);
    const chosen = chosenNeighbours(codes, labels!, ranks!, neighbours);
    const made = net.decode(interpolated(codes, chosen, towards!), own);
    const isTaken = take!.reshape([size, 1, 1, 1]);
    const trained = made
      .sub(mu)
      .div(sigma)
      .mul(isTaken)
      .add(rows.mul(tf.sub(1, isTaken)));
    const all = pool > size ? tf.concat([trained, rowsOf(images!, size, pool - size)], 0) : trained;
    const found = gradients(weights, { ...pass, inputs: { ...pass.inputs, images: all } });
    const error = net.decode(codes, own).sub(pixels).square().mean();
    return { ...found, figures: { ...found.figures, ...figures(error, take!.mean()) } };
  };
