import { dirname } from 'node:path';
import process from 'node:process';
import { withPreprocessing } from '../data/options.ts';
import { displayPath, displayValue } from '../errors.ts';
import { modelNames } from '../models/model-names.ts';
import type { ModelSection } from '../models/options.ts';
import type { OwnSource } from '../tracking/sources.ts';
import type { PhaseOptions } from '../train/phases.ts';
import { decisiveData, describeData, type LoadedDataset, loadDataset } from './dataset.ts';
import { nameOf } from './entries.ts';
import { type Placeholder, redact, restore, substitute } from './env.ts';
import { configCycle, configInvalid, configNotMap, moreProblems, type Problem } from './errors.ts';
import { hashConfig } from './identity.ts';
import { check, type Finding, invalid, type Result } from './issues.ts';
import type { Origins } from './layers.ts';
import {
  decisiveModel,
  describeModel,
  loadModel,
  ownChoice,
  pinnedPlaceholders,
  pinWeights,
  pixelsOf,
  type RunModel,
} from './model.ts';
import type { RunSources } from './own-module.ts';
import { mergePhaseTrain, phasesOfOptions, withoutEntries } from './phases.ts';
import { badPlaces } from './places.ts';
import { plain } from './plain.ts';
import { decisivePlugins, describeEntry, enabledPlugins, loadEntries, type RunEntries } from './run-entries.ts';
import { runOptions } from './schema.ts';
import { formatPath, holdsItself, isMap, type Tree } from './tree.ts';
import type { PluginEntry, PluginRegistry, ResolvedConfig, RunOptions } from './types.ts';

/** What plugins there are, and which run unasked. */
export interface ConfigContext {
  registry: PluginRegistry;
  /** Entries that run after those of the config, unless it configures them or switches them off. */
  defaults?: readonly PluginEntry[];
  /** Of a trained run's config: what was kept with it. */
  run?: RunSources | undefined;
}

/**
 * Checks a config, puts its defaults in and loads its plugins.
 *
 * @param input - a run's options; plugins as entries (`{ use: 'remix' }`) or calls (`remix()`). It stays as it is.
 * @param context.path - file that relative paths start from; the working directory otherwise.
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong.
 */
export async function resolveConfig(
  input: unknown,
  { path = null, ...context }: ConfigContext & { path?: string | null },
): Promise<ResolvedConfig> {
  if (!isMap(input)) throw configNotMap('config', Array.isArray(input) ? 'a list' : displayValue(input));
  if (holdsItself(input)) throw configCycle('config');
  const origins: Origins = {
    where: () => path && displayPath(path),
    directory: () => (path ? dirname(path) : process.cwd()),
  };
  return resolveTree(input, { ...context, origins, problems: [] });
}

/** A config, and the same with its placeholders filled in. */
interface Source {
  written: Tree;
  tree: Tree;
  placeholders: readonly Placeholder[];
}

/** What a config comes to, part by part. */
interface Parts {
  options: RunOptions;
  model: RunModel;
  data: LoadedDataset;
  /** The `train` section of each phase. */
  train: NonNullable<PhaseOptions['train']>[];
  entries: RunEntries;
}

/** The same for a config that was put together from files; `problems` are those met on the way. */
export async function resolveTree(
  input: Tree,
  { problems, ...context }: ConfigContext & { origins: Origins; problems: readonly Problem[] },
): Promise<ResolvedConfig> {
  const { extends: _, $schema: __, ...written } = input;
  const { tree, placeholders, problems: unfilled } = substitute(written);
  const source = { written, tree: tree as Tree, placeholders };
  const modules: OwnSource[] = [];
  const parts = await loadParts(source, { ...context, modules });
  const all = [
    ...problems,
    ...problemsOf([...unfilled, ...badPlaces(written)], parts.findings, source, context.origins),
  ];
  if (parts.value === undefined || all.length > 0) throw configInvalid(all);
  return { ...resolved(parts.value, pinnedPlaceholders(placeholders), context.defaults ?? []), modules };
}

/** Loads and checks each part; one that does not hold does not keep the others from being checked. */
async function loadParts(
  { tree, written }: Source,
  { defaults = [], origins, ...context }: ConfigContext & { origins: Origins; modules: OwnSource[] },
): Promise<Result<Parts>> {
  const place = { ...context, directory: origins.directory(['model', 'name']), written: written.model };
  const own = await loadModel(tree.model, place);
  const options = checkOptions(tree, written, own.value !== null);
  const model =
    options.value === undefined || own.value === undefined
      ? invalid(...own.findings)
      : await pinWeights(own.value ?? options.value.model, (path) => origins.directory(path));
  if (options.value && model.value) {
    const found = await pixelsOf(model.value);
    if (found.value === undefined) return invalid(...found.findings);
    if (found.value !== null) options.value.data = withPreprocessing(options.value.data, found.value);
  }
  const directory = origins.directory(['data', 'name']);
  const data = options.value ? await loadDataset(options.value.data, { ...context, directory, written }) : invalid();
  const train = options.value ? mergePhaseTrain(tree, written) : invalid();
  const entries = await loadEntries(written, { ...context, defaults, origins });
  const findings = [options, model, data, train, entries].flatMap((part) => part.findings);
  if (!options.value || !model.value || !data.value || !train.value || !entries.value) return invalid(...findings);
  return {
    value: {
      options: options.value,
      model: model.value,
      data: data.value,
      train: train.value,
      entries: entries.value,
    },
    findings,
  };
}

/** The config without its plugin entries and without a model of the user's own, which have schemas of their own. */
function checkOptions(tree: Tree, written: Tree, hasOwnModel: boolean): Result<RunOptions> {
  const value = { ...withoutEntries(tree), ...(hasOwnModel && { model: { name: modelNames[0] } }) };
  return check({ schema: runOptions, value, written, owner: 'a run' });
}

/** Findings as they are reported: of a text whose placeholder has no value, only that. */
function problemsOf(
  unfilled: readonly Finding[],
  findings: readonly Finding[],
  { placeholders }: Source,
  origins: Origins,
): Problem[] {
  const empty = new Set(unfilled.map(({ path }) => formatPath(path)));
  const all = [...unfilled, ...findings.filter(({ path }) => !empty.has(formatPath(path)))];
  const left = all.length - TOLD;
  const told = all.slice(0, TOLD).map(({ path, message }) => ({
    where: origins.where(path),
    path: formatPath(path),
    message: redact(message, path, placeholders),
  }));
  return left > 0 ? [...told, moreProblems(left)] : told;
}

/** Problems of a config that are reported at once. */
const TOLD = 50;

function resolved(
  { options, model, data, train, entries }: Parts,
  placeholders: readonly Placeholder[],
  defaults: readonly PluginEntry[],
): Omit<ResolvedConfig, 'modules'> {
  const run = { ...options, model: describeModel(model) as ModelSection };
  const logged = describeRun({ ...run, data: describeData(run.data, data, data.name) }, placeholders, entries);
  const choice = ownChoice(model);
  const phases = phasesOfOptions(run, train);
  return {
    options: {
      ...run,
      data: describeData(run.data, data, data.source === null ? run.data.name : data.dataset),
      plugins: [...entries.written],
    },
    ...(choice && { model: choice }),
    plugins: enabledPlugins(entries.run),
    phases:
      phases?.map((phase, i) => {
        const own = entries.phases[i];
        return { ...phase, ...(own && { plugins: enabledPlugins(own) }) };
      }) ?? null,
    resolved: logged,
    hash: hashRun(logged, { model, data, entries, phases }, defaults),
  };
}

/** What is logged: defaults in, placeholders as written; where the run is kept is no part of it. */
function describeRun(
  { out: _, ...options }: RunOptions,
  placeholders: readonly Placeholder[],
  entries: RunEntries,
): Tree {
  const { phases, ...run } = restore(options, placeholders) as Tree & { phases?: Tree[] };
  const described = phases?.map((phase, i) => {
    const own = entries.phases[i];
    return { ...phase, ...(own && { plugins: own.map(describeEntry) }) };
  });
  return plain({ ...run, plugins: entries.run.map(describeEntry), ...(described && { phases: described }) });
}

/** The hash of a run: of its logged config, with what is in files in place of their paths. */
function hashRun(
  logged: Tree,
  { model, data, entries, phases }: Pick<Parts, 'model' | 'data' | 'entries'> & { phases: readonly object[] | null },
  defaults: readonly PluginEntry[],
): string {
  const observers = new Set(defaults.map(nameOf));
  const decisive = entries.run.filter(({ plugin }) => !observers.has(plugin.definition.name));
  return hashConfig(
    {
      ...logged,
      data: decisiveData(logged.data as Tree, data),
      model: decisiveModel(logged.model as Tree, model),
    },
    decisivePlugins(decisive),
    phases?.map((phase, i) => {
      const { name: _, ...own } = phase as PhaseOptions;
      const plugins = entries.phases[i];
      return { ...own, plugins: plugins ? decisivePlugins(plugins) : null };
    }) ?? null,
  );
}
