import type { z } from 'zod';
import type { BackendChoice } from '../backend/load.ts';
import type { Link } from '../cluster/link.ts';
import type { Warning } from '../compose/types.ts';
import type { DataIdentity } from '../data/identity.ts';
import { loadData } from '../data/load-data.ts';
import type { DataInput } from '../data/options.ts';
import type { LoadedData, ReadProgress } from '../data/types.ts';
import { TailmixError } from '../errors.ts';
import type { KeptRecordings } from '../graph/index.ts';
import type { ModelInput } from '../models/open.ts';
import { type ExtendedModel, startValues } from '../models/transfer.ts';
import type { Model } from '../models/types.ts';
import type { Plugin, PluginDefinition } from '../plugin.ts';
import type { RunInfo, RunStart, Snapshot } from '../run.ts';
import type { WeightRules } from '../step/groups.ts';
import type { Ownership } from '../tracking/ownership.ts';
import type { OwnSource } from '../tracking/sources.ts';
import type { FromFile } from './backbone.ts';
import {
  baseModel,
  countsOf,
  dataWarnings,
  describe,
  isLoaded,
  resolveSettings,
  type Trained,
  withPixels,
} from './describe-run.ts';
import { interruptedInReading } from './errors.ts';
import { checkFeatures, featuresOf, wantsFeatures } from './features.ts';
import type { evaluateOptions, trainOptions } from './options.ts';
import type { PhaseOptions } from './phases.ts';
import { initialValues } from './start.ts';

/** What a run is made of, as a programmer or a resolved config says it. */
export interface TrainerOptions {
  /** Default: the data set's name. */
  name?: string;
  /** Label in tables. Default: the name. */
  method?: string;
  /** Seed of everything but the choice of images. Default 0. */
  seed?: number;
  /** Options of a known data set, or data that is loaded already. */
  data: DataInput | LoadedData;
  /** Options of a known model, a call of one of your own, a model, or a function of the task that makes one. */
  model: ModelInput;
  /** Weights in memory to start from, and for a model of your own what `model.reset` and `model.freeze` are for others. */
  start?: Partial<Omit<RunStart, 'init'>> & {
    init?: Snapshot;
    /** What to call a source whose weights come later. */
    from?: string;
  };
  plugins?: readonly Plugin[];
  /** Parts of the run, one after the other: each starts from the weights of the one before. */
  phases?: readonly PhaseOptions[];
  train?: z.input<typeof trainOptions>;
  evaluate?: z.input<typeof evaluateOptions>;
  backend?: BackendChoice;
  /** Run directory, for plugins that write; it must exist. */
  directory?: string;
  /** Of the directory, where the caller has taken it; else it is the run's for as long as the run takes. */
  ownership?: Ownership;
  /** Continue from here. */
  resume?: Snapshot;
  /** Goes on although a checkpoint was trained on other data; the run records it. Default: no. */
  allowOtherData?: boolean;
  /** In a process of a cluster, what connects it with the others. */
  link?: Link;
  /** Resolved config and its hash, as logged, and files of the user's own that are kept with the run. */
  config?: { resolved: Record<string, unknown>; hash: string; modules?: readonly OwnSource[] };
  /** Of `tailmix record`, for a device: its steps are not recorded again, and TensorFlow is not needed. */
  recordings?: KeptRecordings;
  /** Ends the run after this epoch, evaluated, as if it was asked to from outside; resumed, it goes on. At its last epoch without effect. */
  until?: number;
  /** Ends the run after the current step, in good order; aborted with a TailmixError, the run fails with it. */
  signal?: AbortSignal;
  onDataProgress?: ReadProgress;
  /** Definitions to name in messages about missing capabilities. */
  known?: readonly PluginDefinition[];
}

/** Options with their defaults in. */
export interface Settings {
  name: string;
  method: string;
  seed: number;
  /** Seed of the choice of images. */
  subsetSeed: number;
  /** How the training images were thinned out, as `exp-100`; null where they were not. */
  profile: string | null;
  /** Threads that load images. */
  workers: number;
  train: z.output<typeof trainOptions>;
  evaluate: z.output<typeof evaluateOptions>;
}

/** A run whose images are at hand. */
export interface Preparation {
  options: TrainerOptions;
  settings: Settings;
  data: LoadedData;
  model: Model;
  /** The model before plugins added to it, and after. */
  models: ExtendedModel;
  info: RunInfo;
  warnings: readonly Warning[];
  /** Weights that do not begin as drawn, weights that are not trained, statistics that stay. */
  start: { initial: Record<string, Float32Array> } & Trained;
  /** Of weights whose learning rate or weight decay is not the optimizer's. */
  rules: WeightRules;
  /** Weights that the run begins with as a file of published ones has them. */
  fromFile?: FromFile;
  /** What `model.init` was trained on, where its classes are others and its classifier is kept all the same. */
  initialData?: DataIdentity;
}

/** Reads the data, unless it is given, and makes the model, for a run that has one phase. */
export async function prepare(options: TrainerOptions, given?: LoadedData): Promise<Preparation> {
  const settings = resolveSettings(options);
  const data = given ?? (await readData(options));
  const { info: image, ...counts } = countsOf(data);
  const base = await baseModel(options, image);
  const { trained, ...described } = await describe(options, settings, base, image, counts);
  const { models, info } = described;
  const { initial, ...begun } = await initialValues(options, { base, model: models.model }, info);
  const start = { ...trained, initial };
  return {
    options,
    settings,
    data,
    model: models.model,
    ...described,
    warnings: dataWarnings(options),
    start,
    ...begun,
  };
}

/**
 * The images of a run.
 *
 * @throws {TailmixError} INTERRUPTED when the signal aborts while they are read, and what reading throws.
 */
export async function readData(options: TrainerOptions): Promise<LoadedData> {
  const { data, signal, onDataProgress } = options;
  if (isLoaded(data)) return data;
  const goOn = (): void => {
    throwFailure(signal);
    if (signal?.aborted) throw interruptedInReading(signal.reason);
  };
  const onProgress: ReadProgress = (progress) => {
    goOn();
    onDataProgress?.(progress);
  };
  if (wantsFeatures(options)) checkFeatures(options);
  const images = await loadData(await withPixels(options, data), { onProgress });
  const loaded = wantsFeatures(options)
    ? await featuresOf({ ...options, onDataProgress: onProgress }, resolveSettings(options), images)
    : images;
  goOn();
  return loaded;
}

/** The images of a run, also where it is trained on their features. */
export const readPixels = (options: TrainerOptions): Promise<LoadedData> =>
  readData(isLoaded(options.data) ? options : { ...options, data: { ...options.data, features: false } });

/** A preparation that starts from the weights of the phase before. */
export function startedFrom(preparation: Preparation, snapshot: Snapshot): Preparation {
  const { info, models, start } = preparation;
  const { init, reset } = info.start;
  const initial = startValues(models, snapshot, { source: init!, reset, seed: info.seed });
  return { ...preparation, start: { ...start, initial } };
}

/** @throws {TailmixError} that a signal was aborted with. */
export function throwFailure(signal: AbortSignal | undefined): void {
  if (signal?.reason instanceof TailmixError) throw signal.reason;
}
