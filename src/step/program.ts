import { softmaxCrossEntropy } from '../backend/kernels/index.ts';
import type { GraphFunction, GraphProgram, Signature } from '../graph/index.ts';
import type { Hooks } from '../hooks.ts';
import type { Model, Pass } from '../models/types.ts';
import { randomStream } from '../random.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { mapValues } from '../util/map-values.ts';
import { MIX, resolveShape } from './batch.ts';
import { isBox, mixStage, modelInputs, trainInputs } from './inputs.ts';
import { ownedBy } from './owner.ts';
import type { Gradients, InputSpec, Loss, Predict, StepDefinition, Update } from './types.ts';

/** What plugins, put together, bring to a step. */
export interface StepPlugins {
  hooks: Hooks;
  /** Declared inputs as `<plugin>/<input>`. */
  inputs: Readonly<Record<string, InputSpec>>;
  /** Values by variant name; the first is the default. */
  variants: Readonly<Record<string, readonly string[]>>;
  /** Extra draws by plugin name. */
  draws: Readonly<Record<string, unknown>>;
}

/** What a step is made of beside hooks and model. */
export interface ProgramOptions {
  seed: number;
  imageShape: readonly [number, number, number];
  /** Per channel, of pixel values scaled to 0…1. */
  mean: readonly number[];
  std: readonly number[];
  /** B of every training signature foreseen, for example 128 and a smaller last batch. */
  batchSizes: readonly number[];
  evaluateBatchSize: number;
  optimizer: Update;
  /** Values to start with, in the place of drawn ones, by weight name. */
  initial?: Readonly<Record<string, Float32Array>>;
  /** Weights that are not trained. Statistics never are. */
  frozen?: ReadonlySet<string>;
  /** Statistics that stay as they are in training. */
  fixed?: ReadonlySet<string>;
}

/** The train and predict functions of a run, the state they share, and every signature the plan foresees. */
export function createStepProgram(
  model: Model,
  { hooks, inputs, variants, draws }: StepPlugins,
  options: ProgramOptions,
): GraphProgram {
  const trained = new Set(
    model.weights
      .filter(({ kind, name }) => kind !== 'statistic' && !options.frozen?.has(name))
      .map(({ name }) => name),
  );
  const definition = defineStep(model, hooks, options.optimizer, trained);
  const weights = stateOf(
    model.weights,
    ({ name, initial }) => options.initial?.[name]?.slice() ?? initial(randomStream(options.seed, 'init', name)),
  );
  const initialWeights = Object.defineProperties(
    {},
    mapValues(weights, (weight) => ({ enumerable: true, get: () => weight.values })),
  );
  const slots = stateOf(
    definition.update.slots(
      model.weights.filter(({ name }) => trained.has(name)),
      model.weights,
    ),
    ({ initial }) => initial(initialWeights),
  );
  const split = (state: NamedTensors): { weights: NamedTensors; slots: NamedTensors } => ({
    weights: pick(state, Object.keys(weights)),
    slots: pick(state, Object.keys(slots)),
  });
  const fixed = options.fixed ?? new Set();
  const normalise = (images: tf.Tensor): tf.Tensor => normaliseImages(images, options);

  const train: GraphFunction = (state, feeds, signatureVariants) => {
    const before = split(state);
    const pass: Pass = {
      training: true,
      inputs: { ...feeds, images: normalise(feeds.images!) },
      variants: signatureVariants,
      atStage: (stage, features) => mixAt(stage, features, signatureVariants[MIX], feeds),
      fixed,
    };
    const { loss, penalties, outputs, gradients } = definition.gradients(before.weights, pass);
    const statistics = without(outputs.statistics, fixed);
    const after = definition.update.apply({ ...before.weights, ...statistics }, before.slots, gradients, pass);
    return {
      state: { ...statistics, ...after.weights, ...after.slots },
      outputs: { loss, predictions: outputs.logits.argMax(1), ...prefixed('penalty/', penalties) },
    };
  };
  const predict: GraphFunction = (state, feeds) => {
    const before = split(state);
    const pass: Pass = { training: false, inputs: feeds, variants: {}, atStage: (_, features) => features };
    return {
      state: {},
      outputs: { logits: definition.predict(before.weights, before.slots, normalise(feeds.images!), pass) },
    };
  };

  const pools = 1 + Object.keys(draws).length;
  const trainSignatures = options.batchSizes.flatMap((size) =>
    combinations(variants).map(
      (chosen): Signature => ({
        call: 'train',
        variants: chosen,
        inputs: Object.fromEntries(
          Object.entries({
            ...inputs,
            ...modelInputs(model),
            ...trainInputs(options.imageShape, chosen[MIX]),
          }).map(([name, spec]) => [name, { shape: resolveShape(spec, size, size * pools), dtype: spec.dtype }]),
        ),
      }),
    ),
  );
  const predictSignature: Signature = {
    call: 'predict',
    variants: {},
    inputs: { images: { shape: [options.evaluateBatchSize, ...options.imageShape], dtype: 'uint8' } },
  };
  return {
    functions: { train, predict },
    state: { ...weights, ...slots },
    signatures: [...trainSignatures, predictSignature],
  };
}

/** Initial values are computed at each access: nothing keeps them in memory. */
const stateOf = <Spec extends { name: string; shape: readonly number[] }>(
  specs: readonly Spec[],
  initial: (spec: Spec) => Float32Array,
): GraphProgram['state'] =>
  Object.fromEntries(
    specs.map((spec) => {
      const { name, shape } = spec;
      return [
        name,
        {
          shape,
          get values() {
            return initial(spec);
          },
        },
      ];
    }),
  );

/** Runs the `build…` hooks over core's own functions. */
function defineStep(model: Model, hooks: Hooks, optimizer: Update, trained: ReadonlySet<string>): StepDefinition {
  const forward = hooks.buildModel.call(ownedBy(undefined, model.forward));
  const loss = hooks.buildLoss.call(
    ownedBy(undefined, {
      adjustLogits: (logits) => logits,
      termLoss: (logits, labels) => softmaxCrossEntropy(logits, labels),
      penalties: {},
    }),
  );
  const backward: Gradients = (weights, pass) =>
    differentiate(weights, trained, (all) => {
      const outputs = forward(all, pass.inputs.images!, pass);
      return {
        outputs,
        loss: reduceLoss(loss, outputs.logits, pass),
        penalties: mapValues(loss.penalties, (penalty) => penalty(outputs, all, pass)),
      };
    });
  const plain: Predict = (weights, _slots, images, pass) => forward(weights, images, pass).logits;
  return {
    forward,
    loss,
    gradients: hooks.buildGradients.call(ownedBy(undefined, backward)),
    update: hooks.buildUpdate.call(ownedBy(undefined, optimizer)),
    predict: hooks.buildPrediction.call(ownedBy(undefined, plain)),
  };
}

/** `(Σ weight·L(z, y) + Σ pairWeight·L(z, y_pair)) / normalizer`. */
function reduceLoss({ adjustLogits, termLoss }: Loss, logits: tf.Tensor, pass: Pass): tf.Tensor {
  const term = (labels: tf.Tensor, weight: tf.Tensor): tf.Tensor =>
    termLoss(adjustLogits(logits, labels, pass), labels, pass).mul(weight);
  const { labels, weight, pairLabels, pairWeight, normalizer } = pass.inputs;
  const own = term(labels!, weight!);
  const all = pairLabels ? own.add(term(pairLabels, pairWeight!)) : own;
  return all.sum().div(normalizer!);
}

/**
 * Gradients of loss plus penalties for the trained weights. A weight that the loss does not reach has no gradient.
 * What the forward pass gives beside the loss outlives tfjs's own tidying of it.
 */
function differentiate(
  weights: NamedTensors,
  trained: ReadonlySet<string>,
  evaluate: (weights: NamedTensors) => Omit<ReturnType<Gradients>, 'gradients'>,
): ReturnType<Gradients> {
  const names = Object.keys(weights).filter((name) => trained.has(name));
  let result: Omit<ReturnType<Gradients>, 'gradients'> | undefined;
  const kept: tf.Tensor[] = [];
  const outlive = <T extends tf.Tensor>(tensor: T): T => {
    const clone = tf.keep(tensor.clone()) as T;
    kept.push(clone);
    return clone;
  };
  const { grads } = tf.engine().gradients(
    () => {
      const { loss, penalties, outputs } = evaluate(weights);
      result = {
        loss: outlive(loss),
        penalties: mapValues(penalties, outlive),
        outputs: {
          logits: outlive(outputs.logits),
          features: outlive(outputs.features),
          statistics: mapValues(outputs.statistics, outlive),
        },
      };
      return Object.values(penalties).reduce((sum, penalty) => sum.add(penalty), loss);
    },
    names.map((name) => weights[name]!),
    undefined,
    true,
  );
  const release = <T extends tf.Tensor>(tensor: T): T => tensor.clone() as T;
  const { loss, penalties, outputs } = result!;
  const released = {
    loss: release(loss),
    penalties: mapValues(penalties, release),
    outputs: {
      logits: release(outputs.logits),
      features: release(outputs.features),
      statistics: mapValues(outputs.statistics, release),
    },
  };
  tf.dispose(kept);
  return {
    ...released,
    gradients: Object.fromEntries(names.flatMap((name, i) => (grads[i] ? [[name, grads[i]]] : []))),
  };
}

/** Features of the trained rows at a stage: mixed there, or the pool's first rows where nothing mixes. */
function mixAt(stage: string, features: tf.Tensor, mix: string | undefined, feeds: NamedTensors): tf.Tensor {
  const size = feeds.labels!.shape[0]!;
  if (mix === undefined) return stage === 'input' && features.shape[0]! > size ? firstRows(features, size) : features;
  if (mixStage(mix) !== stage) return features;
  const [pool = 0, ...rest] = features.shape;
  const flat = features.reshape([pool, -1]);
  const mixed = tf.matMul(feeds.mixMatrix!, flat).reshape([size, ...rest]);
  if (!isBox(mix)) return mixed;
  const own = pool > size ? firstRows(features, size) : features;
  const mask = feeds.mixMask!;
  return own.mul(mask).add(mixed.mul(tf.sub(1, mask)));
}

const firstRows = (features: tf.Tensor, size: number): tf.Tensor =>
  features.slice(
    features.shape.map(() => 0),
    [size, ...features.shape.slice(1)],
  );

/** `(x/255 − mean) / std`, as one multiplication and one addition per pixel. */
function normaliseImages(images: tf.Tensor, { mean, std }: Pick<ProgramOptions, 'mean' | 'std'>): tf.Tensor {
  const scale = tf.tensor1d(std.map((deviation) => 1 / (255 * deviation)));
  const shift = tf.tensor1d(mean.map((average, channel) => -average / std[channel]!));
  return images.mul(scale).add(shift);
}

/** Every choice of one value per variant. */
function combinations(variants: Readonly<Record<string, readonly string[]>>): Record<string, string>[] {
  return Object.entries(variants).reduce<Record<string, string>[]>(
    (chosen, [name, values]) => chosen.flatMap((before) => values.map((value) => ({ ...before, [name]: value }))),
    [{}],
  );
}

const pick = (from: NamedTensors, names: readonly string[]): NamedTensors =>
  Object.fromEntries(names.map((name) => [name, from[name]!]));

const without = (tensors: NamedTensors, names: ReadonlySet<string>): NamedTensors =>
  Object.fromEntries(Object.entries(tensors).filter(([name]) => !names.has(name)));

const prefixed = (prefix: string, tensors: NamedTensors): NamedTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${prefix}${name}`, tensor]));
