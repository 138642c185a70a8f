import { definePlugin, epochOption, inverseFrequencyWeights, Order, resolveEpoch, z } from 'tailmix';
import { networkBeside } from 'tailmix/plugins/distill';
import { chooseSeeds, smallNoise } from './choose.ts';
import { classesDiffer, classifierNeeded, pairsGlobal, pixelsNeeded } from './errors.ts';
import { FROM, NOISE, NAME as name, OFF, ON, SEEDS, TAKE, withTranslated } from './step.ts';

export { type Chosen, chooseSeeds, seedShare, smallNoise } from './choose.ts';
export { isConvincing, type Judges, type TranslateOptions, translate } from './translate.ts';

const options = z.strictObject({
  classifier: z
    .string()
    .min(1)
    .optional()
    .describe('g: a run (its directory, its name, or a checkpoint file); with `model` a file of published weights.'),
  model: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Section `model` of the classifier, where `classifier` is a file of weights.'),
  deferUntil: epochOption()
    .default(0.8)
    .describe('Epochs of plain training, or a fraction of the run, before images are translated.'),
  beta: z.number().min(0).lt(1).default(0.999).describe('β: the higher, the more images a seed’s class must have.'),
  lambda: z.number().min(0).default(0.5).describe('λ: how much an image is to lose its old class for the network.'),
  confidence: z.number().min(0).lt(1).default(0.9).describe('γ: the classifier’s least probability of the new class.'),
  steps: z.int().min(1).default(10).describe('T: steps of an image towards its new class.'),
  stepSize: z.number().positive().default(0.1).describe('η: length of such a step, in pixels of 0…1.'),
  noise: z.number().min(0).default(0.5).describe('Largest length of the noise that an image begins with.'),
});

const beside = networkBeside(name);

/**
 * Major-to-minor translation: from some epoch on classes are drawn alike, and rows of rare classes are images of frequent ones, which
 * a classifier that was trained before has been made to take for the rare class.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'small-cnn' },
 *   plugins: [m2m({ classifier: 'runs/first', deferUntil: 0.8 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: m2m
 *     classifier: runs/first
 *     deferUntil: 0.8
 * ```
 * @see Kim, Jeong, Shin, M2m: Imbalanced Classification via Major-to-minor Translation, CVPR 2020,
 *   https://arxiv.org/abs/2004.00431, algorithm 1
 */
export default definePlugin({
  name,
  options,
  provides: ['sampler'],
  async prepare({ classifier, model }, tools) {
    if (classifier === undefined) throw classifierNeeded();
    return tools.network(classifier, model);
  },
  corrects: () => 'class prior',
  variants: () => ({ [name]: [OFF, ON] }),
  inputs: (_, { imageShape }) => ({
    seeds: { shape: ['batch'], dtype: 'int32' },
    from: { shape: ['batch'], dtype: 'int32' },
    take: { shape: ['batch'], dtype: 'float32' },
    noise: { shape: ['batch', ...imageShape], dtype: 'float32' },
  }),
  extendModel(model, _, task, prepared) {
    const { classes } = prepared;
    if (classes && classes.length !== task.classes) throw classesDiffer(classes.length, task.classes);
    return { ...model, weights: [...model.weights, ...beside.asState(prepared, task)] };
  },
  initialWeights: (context) => beside.values(context),
  apply({ hooks, info, random, prepared, warn }, { deferUntil, beta, noise, ...how }) {
    const { classes, classCounts, epochs, imageShape, replicas = 1, pairs } = info;
    if (info.features) throw pixelsNeeded();
    if (replicas > 1 && pairs === 'global') throw pairsGlobal();
    const deferred = resolveEpoch(deferUntil, epochs);
    if (deferred >= epochs) {
      warn('NO_EFFECT', `deferUntil ${deferUntil} is not before the last epoch, ${epochs}: nothing is translated.`);
    }
    const alike = inverseFrequencyWeights(classCounts);
    const pixels = imageShape[0] * imageShape[1] * imageShape[2];
    hooks.computeSamplingWeights.tap({ name, stage: Order.Sample }, (plain, { epoch }) =>
      epoch > deferred ? alike : plain,
    );
    hooks.onBatch.tap(name, (batch, { epoch, step }) => {
      const isOn = epoch > deferred;
      const { size } = batch;
      const stream = random(epoch, step);
      const { seeds, from, take } = isOn
        ? chooseSeeds(batch, { classCounts, beta, replicas }, stream)
        : { seeds: new Int32Array(size), from: new Int32Array(size), take: new Float32Array(size) };
      const start = isOn ? smallNoise(size, pixels, noise, stream) : new Float32Array(size * pixels);
      return {
        ...batch,
        variants: { ...batch.variants, [name]: isOn ? ON : OFF },
        inputs: { ...batch.inputs, [SEEDS]: seeds, [FROM]: from, [TAKE]: take, [NOISE]: start },
      };
    });
    // Outside of what else wraps gradients (sam): all of it sees the translated images.
    hooks.buildGradients.tap({ name, stage: 1 }, (gradients, { forward }) => {
      if (prepared.classes && prepared.classes.join('\n') !== classes.join('\n'))
        throw classesDiffer(prepared.classes.length, classes.length);
      return withTranslated(gradients, forward, beside.model(prepared, info), info, how);
    });
  },
});
