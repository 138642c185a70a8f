import { displayValue, TailmixError } from '../errors.ts';
import { isModelChoice, type ModelChoice, type ModelFactory } from '../models/definition.ts';
import { type BackboneModelOptions, isBuiltIn, type ModelSection } from '../models/options.ts';
import { pinBackbone } from '../models/pin.ts';
import { withForm } from '../models/published/form.ts';
import { type PublishedPreprocessing, preprocessingOf } from '../models/published/preprocessing.ts';
import { type PublishedWeights, publishedOf } from '../models/published/read.ts';
import { pinInit } from '../tracking/pinned-init.ts';
import { findFile, portable } from '../util/find-file.ts';
import { checksumWeights } from '../weights/checksum.ts';
import type { Placeholder } from './env.ts';
import { check, invalid, type Result, valid } from './issues.ts';
import { isPath, loadOwnModule, type ModuleContext, noFile } from './own-module.ts';
import { formatPath, isMap, type Path, type Tree } from './tree.ts';

/** A model of the user's own that a config names, or holds as a call. */
export interface LoadedModel {
  choice: ModelChoice;
  /** As the config is logged; null for a call. */
  use: string | null;
  /** SHA-256 of its file; null for a call or a package. */
  source: string | null;
}

/** Where a `model` section stands. */
export interface ModelContext extends ModuleContext {
  /** The section with placeholders where it had them. */
  written: unknown;
}

/** The model of a run: a section of one of tailmix's own, or a model of the user's. */
export type RunModel = ModelSection | LoadedModel;

/** Loads the model of a section that names a file or a package; null where it is one of tailmix's own, or nothing. */
export async function loadModel(section: unknown, context: ModelContext): Promise<Result<LoadedModel | null>> {
  if (isModelChoice(section)) return loadCall(section);
  if (!isMap(section) || typeof section.name !== 'string' || isBuiltIn(section.name)) return valid(null);
  const { name, ...options } = section as Tree & { name: string };
  const wrong = (message: string): Result<never> => invalid({ path: ['model', 'name'], message });
  const found = await loadOwnModule(name, context);
  if (found === null) return isPath(name) ? wrong(noFile(name, context.directory)) : valid(null);
  if ('message' in found) return wrong(found.message);
  const { value: exported, name: use, source } = found;
  const problem = problemOf(exported);
  if (problem) return wrong(`${name}: expected \`export default defineModel({ … })\`, ${problem}.`);
  const { definition } = exported as ModelFactory;
  const { name: _, ...written } = isMap(context.written) ? context.written : options;
  const own = check({ schema: definition.options, value: options, written, owner: definition.name }, ['model']);
  if (own.value === undefined) return invalid(...own.findings);
  return valid({ choice: { definition, options: own.value }, use, source });
}

/** A model made by a call, whose options were checked there: they are checked again when something was set. */
function loadCall(choice: ModelChoice): Result<LoadedModel> {
  const { definition, options: value } = choice;
  if (!('changed' in choice)) return valid({ choice, use: null, source: null });
  const options = check({ schema: definition.options, value, written: value, owner: definition.name }, ['model']);
  if (options.value === undefined) return invalid(...options.findings);
  return valid({ choice: { definition, options: options.value }, use: null, source: null });
}

function problemOf(exported: unknown): string | null {
  if (exported === undefined) return 'got a module without a default export';
  if (isModelChoice(exported)) return 'got a model that was already called: export the factory itself';
  if (typeof exported !== 'function') return `got ${displayValue(exported)}`;
  const { definition } = exported as Partial<ModelFactory>;
  return typeof definition?.create === 'function' ? null : 'got a function without a definition';
}

const isOwn = (model: RunModel): model is LoadedModel => 'choice' in model;

/** The choice of a model of the user's own; null for one of tailmix's. */
export const ownChoice = (model: RunModel): ModelChoice | null => (isOwn(model) ? model.choice : null);

/**
 * A model with checksums next to the places of the weights that it starts from, which then decide the hash of the config.
 *
 * @param directoryOf - folder of the config that a value is from: files are found from there.
 */
export async function pinWeights(model: RunModel, directoryOf: (path: Path) => string): Promise<Result<RunModel>> {
  if (isOwn(model)) {
    const { init } = model.choice.options as Pick<ModelSection, 'init'>;
    if (init === undefined) return valid(model);
    const pinned = await attempt(['model', 'init'], pinInit(init));
    if (pinned.value === undefined) return invalid(...pinned.findings);
    const options = { ...model.choice.options, init: pinned.value };
    return valid({ ...model, choice: { ...model.choice, options } });
  }
  const pins: Result<Partial<ModelSection>>[] = [];
  if ('path' in model) pins.push(await attempt(['model', 'path'], pinBackboneFiles(model, directoryOf)));
  const published = publishedOf(model);
  if (published) pins.push(await attempt(['model', 'weights'], pinPublished(model, published, directoryOf)));
  if (model.init !== undefined) {
    pins.push(
      await attempt(
        ['model', 'init'],
        pinInit(model.init).then((init) => ({ init })),
      ),
    );
  }
  const findings = pins.flatMap((pin) => pin.findings);
  if (findings.length > 0) return invalid(...findings);
  return valid(Object.assign({ ...model }, ...pins.map(({ value }) => value)) as ModelSection);
}

/** The files of a backbone, found from the config that names them. */
async function pinBackboneFiles(model: BackboneModelOptions, directoryOf: (path: Path) => string) {
  const path = findFile(model.path, directoryOf(['model', 'path'])) ?? model.path;
  return { path: portable(path), sha256: await pinBackbone({ ...model, path }) };
}

/** A file of published weights, found from the config that names it, and what it decides of the model. */
async function pinPublished(
  model: ModelSection,
  { file, sha256 }: PublishedWeights,
  directoryOf: (path: Path) => string,
): Promise<Partial<ModelSection>> {
  const found = findFile(file, directoryOf(['model', 'weights']));
  // Weights that were pinned before are in the checkpoint too.
  if (found === null && sha256 !== undefined) return { weights: { file, sha256 } };
  const path = found ?? file;
  const weights = { file: portable(path), sha256: sha256 ?? (await checksumWeights(path)) };
  return withForm({ ...model, weights });
}

/** How the published weights of a model want images; null where it has none, or their file is not there. */
export const pixelsOf = (model: RunModel): Promise<Result<PublishedPreprocessing | null>> => {
  const published = isOwn(model) ? null : publishedOf(model);
  return attempt(['model', 'weights'], published ? preprocessingOf(published) : Promise.resolve(null));
};

async function attempt<T>(path: Path, pin: Promise<T>): Promise<Result<T>> {
  try {
    return valid(await pin);
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
    return invalid({ path, message: error.message.replace(`${formatPath(path)}: `, '') });
  }
}

/** Where a pinned place is, by where it was written. */
const PINNED: Readonly<Record<string, Path>> = {
  'model.init': ['model', 'init', 'run'],
  'model.weights': ['model', 'weights', 'file'],
};

/** Placeholders of a config whose weights are pinned: `model.init` is a map then, and its place one of its options. */
export const pinnedPlaceholders = (placeholders: readonly Placeholder[]): Placeholder[] =>
  placeholders.map((one) => ({ ...one, path: PINNED[formatPath(one.path)] ?? one.path }));

/** The `model` section with its defaults in. */
export const describeModel = (model: RunModel): Tree =>
  isOwn(model) ? { name: model.use ?? model.choice.definition.name, ...model.choice.options } : { ...model };

/** A logged `model` section as it decides a run's results: not where a file lies, but what is in it. */
export function decisiveModel(section: Tree, model: RunModel): Tree {
  if (isOwn(model)) {
    const { choice, source } = model;
    return { ...section, name: choice.definition.name, ...(source ? { source } : {}) };
  }
  const { path: _, ...rest } = section;
  return rest;
}
