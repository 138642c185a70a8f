import { dirname } from 'node:path';
import process from 'node:process';
import type { z } from 'zod';
import { TailmixError } from '../errors.ts';
import { isModelChoice, type ModelChoice } from '../models/definition.ts';
import { type ModelSection, modelNames } from '../models/options.ts';
import type { Plugin } from '../plugin.ts';
import { pinInit } from '../tracking/pinned-init.ts';
import { type LoadedDataset, loadDataset } from './dataset.ts';
import { displayPath, displayValue } from './display.ts';
import { type LoadedEntry, loadEntry, nameOf, writtenOptions } from './entries.ts';
import { type Placeholder, redact, restore, substitute } from './env.ts';
import { configInvalid, configNotMap, type Problem } from './errors.ts';
import { hashConfig } from './identity.ts';
import { describeIssues, type Finding } from './issues.ts';
import { decisiveModel, type LoadedModel, loadModel, pinModel } from './model.ts';
import { mergePhaseTrain, phasesOfOptions, withoutEntries, writtenPhases } from './phases.ts';
import { runOptions } from './schema.ts';
import { formatPath, isMap, mapLeaves, type Path, type Tree } from './tree.ts';
import type { PluginEntry, PluginRegistry, ResolvedConfig } from './types.ts';

/** What plugins there are, and which run unasked. */
export interface ConfigContext {
  registry: PluginRegistry;
  /** Entries that run after those of the config, unless it configures them or switches them off. */
  defaults?: readonly PluginEntry[];
}

/** Where the values of a config were written, for messages and relative paths. */
export interface Origins {
  /** For example `configs/run.yaml:12`; null for a programmatic config. */
  where(path: Path): string | null;
  /** Folder that paths are relative to. */
  directory(path: Path): string;
}

/**
 * Checks a config, puts its defaults in and loads its plugins.
 *
 * @param input a run's options; plugins as entries (`{ use: 'remix' }`) or calls (`remix()`).
 * @param context.path file that relative paths start from; the working directory otherwise.
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong.
 */
export async function resolveConfig(
  input: unknown,
  { path = null, ...context }: ConfigContext & { path?: string | null },
): Promise<ResolvedConfig> {
  if (!isMap(input)) throw configNotMap('config', Array.isArray(input) ? 'a list' : displayValue(input));
  const origins: Origins = {
    where: () => path && displayPath(path),
    directory: () => (path ? dirname(path) : process.cwd()),
  };
  return resolveTree(input, { ...context, origins, problems: [] });
}

/** The same for a config that was put together from files; `problems` are those met on the way. */
export async function resolveTree(
  written: Tree,
  { registry, defaults = [], origins, problems }: ConfigContext & { origins: Origins; problems: readonly Problem[] },
): Promise<ResolvedConfig> {
  const { extends: _, $schema: __, ...own } = written;
  const { tree, placeholders, problems: unfilled } = substitute(own);
  const model = await loadModel((tree as Tree).model, {
    registry,
    directory: origins.directory(['model', 'name']),
    written: own.model,
  });
  const options = checkOptions(tree as Tree, own, model);
  const findings: Finding[] = Array.isArray(options) ? options : [];
  if (Array.isArray(model)) findings.push(...model);
  let data: LoadedDataset | null = null;
  if (!Array.isArray(options)) {
    if (!Array.isArray(model))
      findings.push(...(await pinWeights(options, placeholders, origins.directory(['model', 'path']))));
    const directory = origins.directory(['data', 'name']);
    const loaded = await loadDataset(options.data, { registry, directory, written: own });
    if (Array.isArray(loaded)) findings.push(...loaded);
    else data = loaded;
  }
  const merged = Array.isArray(options) ? null : mergePhaseTrain(tree as Tree, own);
  findings.push(...(merged?.findings ?? []));
  const load = async (placed: readonly PlacedEntry[], list: Path): Promise<OwnEntry[]> => {
    const entries: OwnEntry[] = [];
    for (const { entry, index } of placed) {
      const filled = substitute(entry);
      const place = [...list, index];
      const loaded = await loadEntry(filled.tree, { registry, directory: origins.directory(place), written: entry });
      if (!Array.isArray(loaded)) entries.push({ ...loaded, placeholders: filled.placeholders });
      else findings.push(...loaded.map(({ path: at, message }) => ({ path: [...place, ...at], message })));
    }
    return entries;
  };
  const placed = placeEntries(Array.isArray(own.plugins) ? own.plugins : [], defaults);
  const entries = await load(placed, ['plugins']);
  const phaseEntries: (OwnEntry[] | null)[] = [];
  for (const { phase, path: at } of writtenPhases(own)) {
    const own = Array.isArray(phase.plugins) ? phase.plugins.map((entry: unknown, index) => ({ entry, index })) : null;
    phaseEntries.push(own && (await load(own, [...at, 'plugins'])));
  }
  const empty = new Set(unfilled.map(({ path: at }) => formatPath(at)));
  const all = [...unfilled, ...findings.filter(({ path: at }) => !empty.has(formatPath(at)))].map(
    ({ path: at, message }) => ({
      where: origins.where(at),
      path: formatPath(at),
      message: redact(message, at, placeholders),
    }),
  );
  if (Array.isArray(options) || Array.isArray(model) || data === null || problems.length + all.length > 0)
    throw configInvalid([...problems, ...all]);

  const hasOptions = Object.keys(data.options).length > 0;
  const named = { ...options.data, ...(hasOptions ? { options: data.options } : {}) };
  const run = { ...options, model: describeModel(options, model) as ModelSection };
  const resolved = describeRun({ ...run, data: { ...named, name: data.name } }, placeholders, entries, phaseEntries);
  const observers = new Set(defaults.map(nameOf));
  const decisive = entries.filter(({ plugin }) => !observers.has(plugin.definition.name));
  const phases = phasesOfOptions(run, merged!.train);
  return {
    options: {
      ...run,
      data: data.source === null ? named : { ...named, name: data.dataset },
      plugins: placed.map(({ entry }) => entry as PluginEntry),
    },
    ...(model && { model: model.choice }),
    plugins: enabledPlugins(entries),
    phases:
      phases?.map((phase, i) => ({
        ...phase,
        ...(phaseEntries[i] && { plugins: enabledPlugins(phaseEntries[i]) }),
      })) ?? null,
    resolved,
    hash: hashConfig(
      { ...withSource(resolved, data), model: decisiveModel(resolved.model as Tree, model) },
      describePlugins(decisive),
      phases?.map(({ name: _name, ...phase }, i) => ({
        ...phase,
        plugins: phaseEntries[i] ? describePlugins(phaseEntries[i]) : null,
      })) ?? null,
    ),
  };
}

const enabledPlugins = (entries: readonly OwnEntry[]): Plugin[] =>
  entries.filter(({ enabled }) => enabled).map(({ plugin }) => plugin);

const describePlugins = (entries: readonly OwnEntry[]): Tree[] =>
  entries.filter(({ enabled }) => enabled).map(describePlugin);

/** With the name and the hash of a data set's own module in place of its path. */
const withSource = (resolved: Tree, { dataset, source }: LoadedDataset): Tree =>
  source === null ? resolved : { ...resolved, data: { ...(resolved.data as Tree), name: dataset.name, source } };

/** Puts checksums of the weights to start from beside their places, so that they decide the hash. */
async function pinWeights(
  options: CheckedOptions,
  placeholders: readonly Placeholder[],
  directory: string,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const attempt = async <T>(path: Path, pin: Promise<T>): Promise<T | undefined> => {
    try {
      return await pin;
    } catch (error) {
      if (!(error instanceof TailmixError)) throw error;
      findings.push({ path, message: error.message.replace(`${formatPath(path)}: `, '') });
      return undefined;
    }
  };
  if (!isModelChoice(options.model)) {
    options.model = (await attempt(['model', 'path'], pinModel(options.model, directory))) ?? options.model;
  }
  const own = (isModelChoice(options.model) ? options.model.options : options.model) as Pick<ModelSection, 'init'>;
  if (own.init === undefined) return findings;
  const path = ['model', 'init'];
  own.init = (await attempt(path, pinInit(own.init))) ?? own.init;
  for (const placeholder of placeholders)
    if (formatPath(placeholder.path) === 'model.init') placeholder.path = [...path, 'run'];
  return findings;
}

type OwnEntry = LoadedEntry & { placeholders: Placeholder[] };

/** An entry as written, and its place in its list (behind the list's end, for a default). */
interface PlacedEntry {
  entry: unknown;
  index: number;
}

type CheckedOptions = Omit<z.output<typeof runOptions>, 'model'> & { model: ModelSection | ModelChoice };

/** The config without its plugin entries and without a model of the user's own, which have schemas of their own. */
function checkOptions(tree: Tree, written: Tree, model: LoadedModel | Finding[] | null): CheckedOptions | Finding[] {
  const value = { ...withoutEntries(tree), ...(model && { model: { name: modelNames[0] } }) };
  const parsed = runOptions.safeParse(value);
  if (parsed.success) return { ...parsed.data, ...(model && 'choice' in model && { model: model.choice }) };
  return describeIssues(parsed.error.issues, { schema: runOptions, value, written, owner: 'a run' });
}

/** Entries in the order in which they run. */
function placeEntries(entries: readonly unknown[], defaults: readonly PluginEntry[]): PlacedEntry[] {
  const placed = entries.map((entry, index) => ({ entry, index }));
  const names = defaults.map(nameOf);
  const own = placed.filter(({ entry }) => !names.includes(nameOf(entry)));
  const last = defaults.flatMap((standard, i) => {
    const configured = placed.filter(({ entry }) => nameOf(entry) === names[i]);
    if (configured.length === 0) return [{ entry: standard as unknown, index: entries.length + i }];
    return configured.map(({ entry, index }) => ({
      entry: isMap(entry) && isMap(standard) ? { ...standard, ...entry } : entry,
      index,
    }));
  });
  return [...own, ...last];
}

/** What is logged: defaults in, placeholders as written; where the run is kept is no part of it. */
function describeRun(
  { out: _, ...options }: z.output<typeof runOptions>,
  placeholders: readonly Placeholder[],
  entries: readonly OwnEntry[],
  phaseEntries: readonly (readonly OwnEntry[] | null)[],
): Tree {
  const { phases, ...run } = restore(options, placeholders) as Tree & { phases?: Tree[] };
  const described = phases?.map((phase, i) => {
    const own = phaseEntries[i];
    return { ...phase, ...(own && { plugins: own.map(describeEntry) }) };
  });
  return plain({ ...run, plugins: entries.map(describeEntry), ...(described && { phases: described }) });
}

function describeEntry(entry: OwnEntry): unknown {
  const use = entry.use ?? entry.plugin.definition.name;
  const written = { use, ...(entry.enabled ? {} : { enabled: false }), ...writtenOptions(entry) };
  return restore(written, entry.placeholders);
}

/** The `model` section with its defaults in. */
const describeModel = ({ model }: CheckedOptions, loaded: LoadedModel | null): object =>
  loaded ? { name: loaded.use ?? loaded.choice.definition.name, ...loaded.choice.options } : model;

const describePlugin = ({ placeholders, ...entry }: OwnEntry): Tree => ({
  name: entry.plugin.definition.name,
  options: plain(restore(writtenOptions(entry), placeholders) as Tree),
  ...sourcesOf(entry),
});

/** Hashes of the files of a plugin and of those that it holds. */
function sourcesOf({ source, held }: LoadedEntry): Tree {
  const inside = held.map(sourcesOf);
  const any = inside.some((sources) => Object.keys(sources).length > 0);
  return { ...(source ? { source } : {}), ...(any ? { held: inside } : {}) };
}

/** Without what was left undefined; a function is only named. */
const plain = (tree: Tree): Tree =>
  withoutUndefined(
    mapLeaves(tree, (leaf) => (typeof leaf === 'function' ? `[function ${leaf.name || 'without a name'}]` : leaf)),
  ) as Tree;

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (!isMap(value)) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutUndefined(entry)]));
}
