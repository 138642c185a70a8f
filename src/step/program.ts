import type { GraphFunction, GraphProgram, HostArray, Signature } from '../graph/index.ts';
import type { Hooks } from '../hooks.ts';
import { MODEL_SEED } from '../models/dropout.ts';
import { initialOf } from '../models/initial.ts';
import { isTrained } from '../models/kinds.ts';
import type { Model, Pass } from '../models/types.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { mapValues } from '../util/map-values.ts';
import { onlyKnown } from '../util/names.ts';
import { prefixed } from '../util/prefixed.ts';
import { acrossReplicas } from './across.ts';
import { feedsOf, feedsOfAll, type Parts, rowsOfAll, type Share } from './all-reduce.ts';
import { groupRanges, MIX, resolveShape } from './batch.ts';
import { defineStep } from './definition.ts';
import { inputUnknown, stateOfReplicas } from './errors.ts';
import { createGroupWatch } from './group-watch.ts';
import { BOX_MIX, hasMasks, modelInputs, trainInputs } from './inputs.ts';
import { watched } from './misses.ts';
import { mixAt } from './mix.ts';
import { inputsOf, meanOfParts, type TrainedPart } from './replicas.ts';
import type { InputSpec, Update } from './types.ts';

/** What plugins, put together, bring to a step. */
export interface StepPlugins {
  hooks: Hooks;
  /** Declared inputs as `<plugin>/<input>`. */
  inputs: Readonly<Record<string, InputSpec>>;
  /** Values by variant name; the first is the default. */
  variants: Readonly<Record<string, readonly string[]>>;
  /** Groups of rows, by `<plugin>/<group>`. */
  groups: Readonly<Record<string, unknown>>;
  /** Names of `outputs.extras` that predictions give too, as `extra/<name>`. Default: none. */
  extras?: readonly string[];
}

/** What a step is made of beside hooks and model. */
export interface ProgramOptions {
  seed: number;
  imageShape: readonly [number, number, number];
  /** Rows are features, float32, and not normalised. Default: pixels. */
  isFeatures?: boolean;
  /** Per channel, of pixel values scaled to 0…1. */
  mean: readonly number[];
  std: readonly number[];
  /** B of every training signature foreseen, for example 128 and a smaller last batch. */
  batchSizes: readonly number[];
  evaluateBatchSize: number;
  optimizer: Update;
  /** R, parts that each batch is trained in; it divides all batch sizes. Default 1. */
  replicas?: number;
  /** Replicas share the statistics of batch norm, which only a captured step can. Default: each has its own. */
  batchNorm?: 'perReplica' | 'synced';
  /** Partners to mix with may be of any replica; something mixes at the input. Default: each replica mixes its own rows. */
  pairs?: 'perReplica' | 'global';
  /** In a process of a cluster, the replicas that it computes. Default: all. */
  share?: Share;
  /** Devices that share the replicas; they divide R. Default: one computes all. */
  devices?: number;
  /** Values to start with, in the place of drawn ones, by weight name. */
  initial?: Readonly<Record<string, Float32Array>>;
  /** Weights that are not trained. Statistics never are. */
  frozen?: ReadonlySet<string>;
  /** Statistics that stay as they are in training. */
  fixed?: ReadonlySet<string>;
}

/** Input and output of a step in a cluster, `[processes]`: which process was asked to stop. */
export const STOP = 'stop';

/** How outputs of a step begin that are of plugins: penalties, figures, and arrays with a row for each of the batch. */
export const PENALTY = 'penalty/';
export const FIGURE = 'figure/';
export const SAMPLE = 'sample/';
/** The same of a prediction's outputs beside its logits. */
export const EXTRA = 'extra/';

/** A program and what its host needs to read of its outputs. */
export interface StepProgram extends GraphProgram {
  /** Weights that are trained, in the order of `gradientSums`. */
  trained: readonly string[];
  /** Whether a step takes the batch of `withPartners`, and its images. */
  hasPartners: boolean;
  /** Rows of a training signature for a batch of so many rows: in a process of a cluster, its own. */
  rowsOf(size: number): number;
  /**
   * What a step of the whole batch is fed, cut to the rows of this process; images are its own already. Where several devices share
   * the replicas, rows are in the order of devices.
   */
  own(
    feeds: Readonly<Record<string, HostArray>>,
    mix: string | undefined,
    rows: { size: number; pool: number },
  ): Readonly<Record<string, HostArray>>;
}

/**
 * The train and predict functions of a run, the state they share, and every signature the plan foresees. A training
 * step gives `loss`, `predictions`, `penalty/PLUGIN`, `figure/NAME`, `sample/NAME` and `gradientSums`: one sum per trained weight, not finite where
 * its gradient is not.
 */
export function createStepProgram(
  model: Model,
  { hooks, inputs, variants, groups, extras = [] }: StepPlugins,
  options: ProgramOptions,
): StepProgram {
  const trained = new Set(model.weights.filter((weight) => isTrained(weight, options.frozen)).map(({ name }) => name));
  const definition = defineStep(model, hooks, options.optimizer, trained);
  const weights = stateOf(model.weights, initialOf(model.weights, options.initial, options.seed));
  // A slot may begin as what it is given, changed in its place.
  const initialWeights = Object.defineProperties(
    {},
    mapValues(weights, (weight) => ({ enumerable: true, get: () => weight.values.slice() })),
  );
  const slots = stateOf(
    definition.update.slots(
      model.weights.filter(({ name }) => trained.has(name)),
      model.weights,
    ),
    ({ initial }) => initial(initialWeights),
  );
  const split = (state: NamedTensors): { weights: NamedTensors; slots: NamedTensors } => ({
    weights: watched('weight', pick(state, Object.keys(weights))),
    slots: watched('slot', pick(state, Object.keys(slots))),
  });
  const kept = new Set(model.weights.filter(({ kind }) => kind === 'state').map(({ name }) => name));
  const fixed = options.fixed ?? new Set();
  const dtype = options.isFeatures ? 'float32' : 'uint8';
  const normalise = (images: tf.Tensor): tf.Tensor => (options.isFeatures ? images : normaliseImages(images, options));
  const inputNames = new Set([...Object.keys(inputs), ...coreInputs(model, options)]);
  /** A name that no step has cannot be read; one that other steps have is undefined. */
  const readable = (given: NamedTensors): NamedTensors =>
    onlyKnown(given, (name) => inputUnknown(name, [...inputNames]), inputNames);

  const { replicas = 1, share, devices = 1 } = options;
  const parts: Parts | undefined = share ?? (devices > 1 ? { processes: devices } : undefined);
  const processes = parts?.processes ?? 1;
  const local = replicas / processes;
  const specsOf = (mix: string | undefined): Record<string, InputSpec> => ({
    ...inputs,
    ...modelInputs(model),
    ...trainInputs(options.imageShape, mix, dtype),
  });
  const read = createGroupWatch();
  const passOf = (feeds: NamedTensors, chosen: Readonly<Record<string, string>>): Pass => {
    const size = feeds.labels!.shape[0]!;
    return {
      training: true,
      inputs: readable({ ...feeds, images: normalise(feeds.images!) }),
      groups: read.of(groupRanges(Object.keys(groups), size)),
      variants: chosen,
      atStage: (stage, features) => mixAt(stage, features, chosen[MIX], feeds),
      fixed,
      ...(replicas > 1 && options.batchNorm === 'synced' && { across: acrossReplicas(replicas) }),
    };
  };
  /** The pass, with the masks that its batch is mixed by. */
  const masked = (pass: Pass, weights: NamedTensors, feeds: NamedTensors): Pass => {
    const mix = pass.variants[MIX];
    if (mix === undefined || !hasMasks(mix)) return pass;
    const mixMask = definition.mask(weights, pass);
    return { ...pass, atStage: (stage, features) => mixAt(stage, features, mix, { ...feeds, mixMask }) };
  };
  const trainPart = (weights: NamedTensors, pass: Pass, feeds: NamedTensors): TrainedPart => {
    const { outputs, ...found } = definition.gradients(weights, masked(pass, weights, feeds));
    if (pass.variants[MIX] === undefined) read.check(Object.keys(groups));
    const own = replicas === 1 ? undefined : Object.keys(outputs.statistics).find((name) => kept.has(name));
    if (own !== undefined) throw stateOfReplicas(own, replicas);
    const statistics = without(outputs.statistics, fixed);
    return { ...found, statistics, predictions: outputs.logits.argMax(1) };
  };
  const trainParts = (weights: NamedTensors, feeds: NamedTensors, chosen: Pass['variants']): TrainedPart => {
    const specs = specsOf(chosen[MIX]);
    return meanOfParts(
      Array.from({ length: local }, (_, replica) => {
        const own = inputsOf(replica, local, feeds, specs, parts);
        return trainPart(weights, passOf(own, chosen), own);
      }),
      parts,
    );
  };

  const train: GraphFunction = (state, feeds, signatureVariants) => {
    const before = split(state);
    const pass = passOf(feeds, signatureVariants);
    const { loss, penalties, figures, statistics, gradients, ...rows } =
      replicas === 1 ? trainPart(before.weights, pass, feeds) : trainParts(before.weights, feeds, signatureVariants);
    const after = definition.update.apply({ ...before.weights, ...statistics }, before.slots, gradients, pass);
    const own = { ...prefixed(SAMPLE, rows.perSample), predictions: rows.predictions };
    const all = parts && rowsOfAll(own, share ? [feeds[STOP]!] : [], parts);
    return {
      state: { ...statistics, ...after.weights, ...after.slots },
      outputs: {
        loss,
        ...(all ? { ...all.rows, predictions: all.rows.predictions!.cast('int32') } : own),
        ...(share && { [STOP]: all!.sums[0]! }),
        gradientSums: tf.stack([...trained].map((name) => gradients[name]?.sum() ?? tf.scalar(0))),
        ...prefixed(PENALTY, penalties),
        ...prefixed(FIGURE, figures),
      },
    };
  };
  const predict: GraphFunction = (state, feeds) => {
    const before = split(state);
    const pass: Pass = { training: false, inputs: readable(feeds), variants: {}, atStage: (_, features) => features };
    const predicted = definition.predict(extras, before.weights, before.slots, normalise(feeds.images!), pass);
    return { state: {}, outputs: { logits: predicted.logits, ...prefixed(EXTRA, predicted.extras) } };
  };

  const hasPartners = options.pairs === 'global' && replicas > 1 && MIX in variants;
  const pools = 1 + Object.keys(groups).length + Number(hasPartners);
  const sharedInputs: Record<string, InputSpec> = share ? { [STOP]: { shape: [processes], dtype: 'float32' } } : {};
  /** Of an input of the rows that a part has; all parts lie behind one another where devices have one each. */
  const inputOf = (name: string, spec: InputSpec, size: number): Signature['inputs'][string] => {
    const shape = resolveShape(spec, size, size * pools);
    const rows =
      devices > 1
        ? spec.shape.some((length) => typeof length === 'string') || name === MODEL_SEED
        : typeof spec.shape[0] === 'string';
    const [length, ...rest] = shape;
    return {
      shape: rows && devices > 1 ? [length! * devices, ...rest] : shape,
      dtype: spec.dtype,
      ...(rows && { rows }),
    };
  };
  const trainSignatures = options.batchSizes
    .map((whole) => whole / processes)
    .flatMap((size) =>
      combinations(variants).map(
        (chosen): Signature => ({
          call: 'train',
          variants: chosen,
          inputs: mapValues({ ...specsOf(chosen[MIX]), ...sharedInputs }, (spec, name) => inputOf(name, spec, size)),
          ...(devices > 1 && { parts: devices }),
        }),
      ),
    );
  const images = { shape: [options.evaluateBatchSize, ...options.imageShape], dtype, rows: true } as const;
  const predictSignature: Signature = { call: 'predict', variants: {}, inputs: { images } };
  return {
    functions: { train, predict },
    state: { ...weights, ...slots },
    signatures: [...trainSignatures, predictSignature],
    trained: [...trained],
    hasPartners,
    rowsOf: (size) => (share ? size / processes : size),
    own(feeds, mix, given) {
      const rows = { ...given, replicas };
      if (share) return feedsOf(feeds, specsOf(mix), rows, share);
      return parts ? feedsOfAll(feeds, specsOf(mix), rows, parts) : feeds;
    },
  };
}

/** Names of all inputs that core and the model have in steps of any kind. */
const coreInputs = (model: Model, { imageShape }: ProgramOptions): string[] =>
  Object.keys({ ...modelInputs(model), ...trainInputs(imageShape, BOX_MIX) });

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
