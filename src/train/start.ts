import { existsSync } from 'node:fs';
import { type DataIdentity, differingParts, expectSameData } from '../data/identity.ts';
import { resetWithoutInit } from '../models/errors.ts';
import { startOf } from '../models/open.ts';
import { weightsAndInit } from '../models/published/errors.ts';
import {
  checkPublished,
  describePublished,
  type PublishedWeights,
  publishedOf,
  readPublished,
} from '../models/published/read.ts';
import { drawnAnew, type ExtendedModel, startValues } from '../models/transfer.ts';
import type { Model } from '../models/types.ts';
import type { RunInfo, RunStart } from '../run.ts';
import { readInit, runOfInit } from '../tracking/pinned-init.ts';
import type { FromFile } from './backbone.ts';
import type { TrainerOptions } from './prepare.ts';

type Options = Pick<TrainerOptions, 'start' | 'model' | 'resume' | 'allowOtherData'>;

/** The file of published weights that a run starts from; null where it starts elsewhere. */
export const publishedStart = ({ model, start }: Options): PublishedWeights | null =>
  start?.from !== undefined || start?.init !== undefined ? null : publishedOf(startOf(model));

/** What weights begin with. */
interface InitialValues {
  initial: Record<string, Float32Array>;
  /** Those of them that a file of published weights has. */
  fromFile?: FromFile;
  /** What `model.init` was trained on, where its classes are others and its classifier is kept all the same. */
  initialData?: DataIdentity;
}

/**
 * Values that the weights begin with where they are not drawn; a resumed run has them all.
 *
 * @throws {TailmixError} what `readInit`, `startValues` and `readPublished` throw, OTHER_DATA.
 */
export async function initialValues(
  options: Options,
  models: ExtendedModel,
  { classes, seed, start: { init: source, reset } }: Pick<RunInfo, 'classes' | 'seed' | 'start'>,
): Promise<InitialValues> {
  const { start, model, resume, allowOtherData } = options;
  if (resume || source === null || start?.from !== undefined) return { initial: {} };
  const published = publishedStart(options);
  if (published) {
    const { taken, anew } = await publishedValues(published, models, { reset, seed });
    return { initial: { ...taken, ...anew }, fromFile: { source: published, weights: Object.keys(taken) } };
  }
  const snapshot = start?.init ?? (await readInit(startOf(model).init ?? source));
  const initial = startValues(models, snapshot, { source, reset, seed });
  const { data, backbone, state } = snapshot;
  // What is drawn anew is no array of the snapshot's.
  const isTaken = (name: string): boolean => initial[name] === state[name]!.values;
  const begun = {
    initial,
    ...(backbone && { fromFile: { source: backbone, weights: backbone.weights.filter(isTaken) } }),
  };
  if (data === undefined || reset.includes('classifier')) return begun;
  const other = { ...data, classes };
  if (!allowOtherData) expectSameData(`model.init ${source}`, data, other, ['classes']);
  return { ...begun, ...(differingParts(data, other).length > 0 && { initialData: data }) };
}

async function publishedValues(
  published: PublishedWeights,
  models: ExtendedModel,
  { reset, seed }: { reset: readonly string[]; seed: number },
): Promise<Record<'taken' | 'anew', Record<string, Float32Array>>> {
  const anew = drawnAnew(models, { reset, seed });
  const known = new Set(models.model.weights.map(({ name }) => name));
  const taken = await readPublished(published, models.base, (name) => known.has(name) && !Object.hasOwn(anew, name));
  return { taken, anew };
}

/**
 * Where the weights of a run begin, and which are trained. Of published weights, the header of the file is read, but
 * not where a run is resumed: its checkpoint has them all.
 *
 * @throws {TailmixError} RESET_WITHOUT_INIT, WEIGHTS_AND_INIT, and what `describePublished` throws.
 */
export async function describeStart(options: Options, base: Model): Promise<RunStart> {
  const { model, start = {} } = options;
  const known = startOf(model);
  const { reset = [], freeze = [], ...given } = { ...known, ...start };
  const frozenNorm = base.weights.some(({ kind }) => kind === 'statistic') ? (given.frozenNorm ?? 'batch') : null;
  const published = publishedStart(options);
  if (published) {
    if (known.init !== undefined) throw weightsAndInit();
    return { ...(await describeFile(published, options, { base, reset })), freeze, frozenNorm };
  }
  const own = known.init === undefined ? null : runOfInit(known.init).run;
  const init = start.from ?? (start.init ? 'weights in memory' : own);
  if (init === null && reset.length > 0) throw resetWithoutInit(reset);
  return { init, reset, freeze, frozenNorm };
}

async function describeFile(
  published: PublishedWeights,
  { resume }: Options,
  { base, reset }: { base: Model; reset: readonly string[] },
): Promise<Pick<RunStart, 'init' | 'reset'>> {
  if (resume) return { init: published.file, reset };
  const { source, isNewClassifier } = await describePublished(published, base);
  const isAnew = isNewClassifier && !reset.includes('classifier');
  return { init: source, reset: isAnew ? [...reset, 'classifier'] : reset };
}

/**
 * Whether the published weights that a run began with are still what its config says, where their file is there.
 *
 * @throws {TailmixError} WEIGHTS_CHANGED
 */
export async function checkStartFile(options: Options): Promise<void> {
  const published = publishedStart(options);
  if (options.resume && published && existsSync(published.file)) await checkPublished(published);
}
