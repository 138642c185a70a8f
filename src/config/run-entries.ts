import type { Plugin } from '../plugin.ts';
import { type LoadedEntry, loadEntry, nameOf, writtenOptions } from './entries.ts';
import { type Placeholder, restore, substitute } from './env.ts';
import { type Finding, invalid, type Result, valid, within } from './issues.ts';
import type { Origins } from './layers.ts';
import type { ModuleContext } from './own-module.ts';
import { writtenPhases } from './phases.ts';
import { plain } from './plain.ts';
import { isMap, type Path, type Tree } from './tree.ts';
import type { PluginEntry } from './types.ts';

/** A loaded entry of a run or a phase, and what its texts had for placeholders. */
export type RunEntry = LoadedEntry & { placeholders: readonly Placeholder[] };

/** All plugin entries of a config, in the order in which they run. */
export interface RunEntries {
  /** Of the run, as written; those that run unasked are the last. */
  written: readonly PluginEntry[];
  /** The same, loaded. */
  run: readonly RunEntry[];
  /** Of each phase; null for a phase that has those of the run. */
  phases: readonly (readonly RunEntry[] | null)[];
}

/** Where entries stand. */
interface Context extends Omit<ModuleContext, 'directory'> {
  /** Entries that run unasked. */
  defaults: readonly PluginEntry[];
  origins: Origins;
}

/** Loads the plugins of a run and its phases; anything but a list is left for the schema to refuse. */
export async function loadEntries(tree: Tree, { defaults, ...context }: Context): Promise<Result<RunEntries>> {
  const placed = placeEntries(listed(tree.plugins) ?? [], defaults);
  const run = await loadList(placed, ['plugins'], context);
  const phases: Result<readonly RunEntry[] | null>[] = [];
  for (const { phase, path } of writtenPhases(tree)) {
    const own = listed(phase.plugins);
    phases.push(own === null ? valid(null) : await loadList(own, [...path, 'plugins'], context));
  }
  const findings = [run, ...phases].flatMap((list) => list.findings);
  if (run.value === undefined || findings.length > 0) return invalid(...findings);
  return valid({
    written: placed.map(({ entry }) => entry as PluginEntry),
    run: run.value,
    phases: phases.map(({ value }) => value ?? null),
  });
}

/** Wrong entries after which no more are loaded. */
const ENOUGH = 20;

/** An entry as written, and its place in its list (behind the list's end, for one that runs unasked). */
interface PlacedEntry {
  entry: unknown;
  index: number;
}

const listed = (plugins: unknown): PlacedEntry[] | null =>
  Array.isArray(plugins) ? plugins.map((entry: unknown, index) => ({ entry, index })) : null;

/** Entries in the order in which they run. */
function placeEntries(placed: readonly PlacedEntry[], defaults: readonly PluginEntry[]): PlacedEntry[] {
  const names = defaults.map(nameOf);
  const own = placed.filter(({ entry }) => !names.includes(nameOf(entry)));
  const last = defaults.flatMap((standard, i) => {
    const configured = placed.filter(({ entry }) => nameOf(entry) === names[i]);
    if (configured.length === 0) return [{ entry: standard as unknown, index: placed.length + i }];
    return configured.map(({ entry, index }) => ({
      entry: isMap(entry) && isMap(standard) ? { ...standard, ...entry } : entry,
      index,
    }));
  });
  return [...own, ...last];
}

async function loadList(
  placed: readonly PlacedEntry[],
  list: Path,
  { origins, ...context }: Omit<Context, 'defaults'>,
): Promise<Result<RunEntry[]>> {
  const entries: RunEntry[] = [];
  const findings: Finding[] = [];
  for (const { entry, index } of placed) {
    if (findings.length >= ENOUGH) {
      findings.push({ path: list, message: 'the entries behind this one were not looked at: correct these first.' });
      break;
    }
    const { tree, placeholders } = substitute(entry);
    const place = [...list, index];
    const loaded = await loadEntry(tree, {
      ...context,
      directory: origins.directory([...place, 'use']),
      written: entry,
    });
    findings.push(...within(place, loaded.findings));
    if (loaded.value !== undefined) entries.push({ ...loaded.value, placeholders });
  }
  return findings.length > 0 ? invalid(...findings) : valid(entries);
}

/** Plugins of entries that are not switched off. */
export const enabledPlugins = (entries: readonly RunEntry[]): Plugin[] =>
  entries.filter(({ enabled }) => enabled).map(({ plugin }) => plugin);

/** An entry as it is logged: defaults in, placeholders as written. */
export function describeEntry(entry: RunEntry): unknown {
  const use = entry.use ?? entry.plugin.definition.name;
  const pins = entry.plugin.prepared?.pins ?? {};
  const written = { use, ...(entry.enabled ? {} : { enabled: false }), ...writtenOptions(entry) };
  return { ...(restore(written, entry.placeholders) as Tree), ...(Object.keys(pins).length > 0 && { pinned: pins }) };
}

/** Entries as they decide a run's results: name, options and, of files and what was read, hashes in the place of names. */
export const decisivePlugins = (entries: readonly RunEntry[]): Tree[] =>
  entries
    .filter(({ enabled }) => enabled)
    .map((entry) => ({
      name: entry.plugin.definition.name,
      options: plain(
        restore(
          writtenOptions(entry, (_, { sha256 }) => sha256),
          entry.placeholders,
        ) as Tree,
      ),
      ...readBy(entry),
      ...sourcesOf(entry),
    }));

/** Hashes of what a plugin was prepared with, whatever it is called. */
function readBy({ plugin }: LoadedEntry): Tree {
  const read = Object.values(plugin.prepared?.pins ?? {}).map(({ sha256 }) => sha256);
  return read.length > 0 ? { read: read.sort() } : {};
}

/** Hashes of the files of a plugin and of those that it holds. */
function sourcesOf({ source, held }: LoadedEntry): Tree {
  const inside = held.map(sourcesOf);
  const any = inside.some((sources) => Object.keys(sources).length > 0);
  return { ...(source ? { source } : {}), ...(any ? { held: inside } : {}) };
}
