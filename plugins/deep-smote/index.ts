import { definePlugin, epochOption, inverseFrequencyWeights, Order, type RunInfo, resolveEpoch, z } from 'tailmix';
import { adamState } from 'tailmix/plugins/meta-weight-net';
import { type AutoencoderOptions, autoencoder } from './autoencoder.ts';
import { toSynthesise, withinClasses } from './choose.ts';
import { pairsGlobal, pixelsNeeded, untrained } from './errors.ts';
import { LEARN, MAKE, NAME as name, ORDER, RANKS, SHARES, TAKE, TOWARDS, withSynthetic } from './step.ts';

export { type Autoencoder, type AutoencoderOptions, autoencoder, autoencoderLosses } from './autoencoder.ts';
export { toSynthesise, withinClasses } from './choose.ts';

const options = z.strictObject({
  deferUntil: epochOption()
    .default(0.5)
    .describe('Epochs, or a fraction of the run, in which the autoencoder learns; afterwards it makes images.'),
  neighbours: z.int().min(1).default(5).describe('k: a code is mixed with one of its k nearest of the same class.'),
  penalty: z.number().min(0).default(1).describe('Factor of the penalty, of images made of the codes of others.'),
  codes: z.int().positive().default(300).describe('Length of a code.'),
  width: z.int().positive().default(32).describe('Channels of the first convolution; further ones have twice as many.'),
  learningRate: z.number().positive().default(2e-4).describe('Learning rate of the autoencoder’s Adam.'),
});

function partsOf(imageShape: RunInfo['imageShape'], how: AutoencoderOptions) {
  const net = autoencoder(imageShape, how);
  return { net, state: adamState(name, net.weights) };
}

/**
 * DeepSMOTE: an encoder and a decoder learn the images; then classes are drawn alike, and rows of rare classes are images decoded from codes
 * between an image's and that of a neighbour of its class.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [deepSmote({ deferUntil: 0.5 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: deep-smote
 *     deferUntil: 0.5
 * ```
 * @see Dablain, Krawczyk, Chawla, DeepSMOTE: Fusing Deep Learning and SMOTE for Imbalanced Data, IEEE TNNLS 2022,
 *   https://arxiv.org/abs/2105.02340
 */
export default definePlugin({
  name,
  options,
  provides: ['sampler'],
  corrects: () => 'class prior',
  variants: () => ({ [name]: [LEARN, MAKE] }),
  inputs: () => ({
    order: { shape: ['batch'], dtype: 'int32' },
    shares: { shape: ['batch'], dtype: 'float32' },
    take: { shape: ['batch'], dtype: 'float32' },
    ranks: { shape: ['batch'], dtype: 'float32' },
    towards: { shape: ['batch'], dtype: 'float32' },
  }),
  extendModel: (model, how, { imageShape }) => ({
    ...model,
    weights: [...model.weights, ...partsOf(imageShape, how).state.weights],
  }),
  initialWeights({ info, valuesOf }, { deferUntil }) {
    const steps = valuesOf(`${name}/adamw/steps`)?.[0] ?? 0;
    if (resolveEpoch(deferUntil, info.epochs) === 0 && steps === 0) throw untrained();
    return {};
  },
  apply({ hooks, info, random, warn }, { deferUntil, ...how }) {
    const { classCounts, epochs, imageShape, replicas = 1, pairs } = info;
    if (info.features) throw pixelsNeeded();
    if (replicas > 1 && pairs === 'global') throw pairsGlobal();
    const deferred = resolveEpoch(deferUntil, epochs);
    if (deferred >= epochs && info.phase === undefined) {
      warn('NO_EFFECT', `deferUntil ${deferUntil} is not before the last epoch, ${epochs}: no image is made.`);
    }
    const alike = inverseFrequencyWeights(classCounts);
    hooks.computeSamplingWeights.tap({ name, stage: Order.Sample }, (plain, { epoch }) =>
      epoch > deferred ? alike : plain,
    );
    hooks.onBatch.tap(name, (batch, { epoch, step }) => {
      const stream = random(epoch, step);
      const isMade = epoch > deferred;
      const drawn = () => Float32Array.from({ length: batch.size }, () => stream.uniform());
      const { order, shares } = withinClasses(batch, replicas, stream);
      const take = isMade ? toSynthesise(batch, classCounts, stream) : new Float32Array(batch.size);
      return {
        ...batch,
        variants: { ...batch.variants, [name]: isMade ? MAKE : LEARN },
        inputs: {
          ...batch.inputs,
          [ORDER]: order,
          [SHARES]: shares,
          [TAKE]: take,
          [RANKS]: drawn(),
          [TOWARDS]: drawn(),
        },
      };
    });
    // Outside of what else wraps gradients (sam): all of it sees the images that are made.
    hooks.buildGradients.tap({ name, stage: 1 }, (gradients) =>
      withSynthetic(gradients, partsOf(imageShape, how), info, how),
    );
  },
});
