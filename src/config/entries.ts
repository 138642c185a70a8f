import { z } from 'zod';
import { displayValue, TailmixError } from '../errors.ts';
import { heldBy, isPlugin, type Plugin, type PluginFactory } from '../plugin.ts';
import type { Pin, Pins } from '../prepare.ts';
import { preparePlugin } from '../train/prepared.ts';
import { mapValues } from '../util/map-values.ts';
import { suggest } from '../util/suggest.ts';
import { check, type Finding, invalid, type Result, valid, within } from './issues.ts';
import { isPath, loadOwnModule, type ModuleContext, noFile } from './own-module.ts';
import { optionsOf, schemaAt } from './shape.ts';
import { isMap, mapLeaves, type Tree, valueAt } from './tree.ts';

/** Keys of an entry that are not the plugin's options. */
export const RESERVED = ['use', 'enabled', 'pinned'] as const;

/** A plugin entry that was found and whose options fit. */
export interface LoadedEntry {
  plugin: Plugin;
  /** Null for a plugin made by a call. */
  use: string | null;
  enabled: boolean;
  /** SHA-256 of the plugin's file; null unless `use` is a path. */
  source: string | null;
  /** Plugins that it holds, in order. */
  held: readonly LoadedEntry[];
}

/** An entry as it is to be loaded. */
export interface EntryContext extends ModuleContext {
  /** The entry with placeholders where it had them. */
  written: unknown;
}

/** How a place that a plugin was prepared with is written. */
type NamePin = (place: string, pin: Pin) => string;

/** What an entry uses, as written; null where it says nothing. */
export const nameOf = (entry: unknown): string | null =>
  isPlugin(entry) ? entry.definition.name : isMap(entry) && typeof entry.use === 'string' ? entry.use : null;

/** Finds the plugin of an entry and checks its options. Findings are at paths inside the entry. */
export async function loadEntry(entry: unknown, context: EntryContext): Promise<Result<LoadedEntry>> {
  if (isPlugin(entry)) {
    const made = madeByCall(entry);
    const { definition, options } = entry;
    return prepared('changed' in entry ? withOptions(definition, options, options, made) : valid(made), context);
  }
  if (!isMap(entry)) {
    const hint = typeof entry === 'string' ? ` Write \`- use: ${displayValue(context.written).slice(1, -1)}\`.` : '';
    return invalid({ path: [], message: `expected a map with \`use\`, got ${displayValue(context.written)}.${hint}` });
  }
  const { use, enabled = true, pinned, ...options } = entry;
  const flag: Finding[] =
    typeof enabled === 'boolean'
      ? []
      : [{ path: ['enabled'], message: `expected true or false, got ${displayValue(enabled)}.` }];
  const pins = check({ schema: pinsOption, value: pinned, written: pinned, owner: 'an entry' }, ['pinned']);
  const loaded = await loadUsed(use, options, context);
  const findings = [...flag, ...pins.findings, ...loaded.findings];
  if (loaded.value === undefined || findings.length > 0) return invalid(...findings);
  if (enabled !== true) return valid({ ...loaded.value, enabled: false });
  return prepared(loaded, { ...context, pins: pins.value as Pins | undefined });
}

const pinsOption = z
  .record(
    z.string(),
    z.strictObject({
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      network: z
        .strictObject({
          model: z.record(z.string(), z.unknown()),
          classes: z.array(z.string()).nullable(),
          mean: z.array(z.number()).nullable(),
          std: z.array(z.number()).nullable(),
        })
        .optional(),
    }),
  )
  .optional();

/** An entry whose plugin is prepared, where it was found. */
async function prepared(
  loaded: Result<LoadedEntry>,
  context: EntryContext & { pins?: Pins | undefined },
): Promise<Result<LoadedEntry>> {
  if (loaded.value === undefined) return loaded;
  try {
    const { pins, directory, run } = context;
    return valid({
      ...loaded.value,
      plugin: await preparePlugin(loaded.value.plugin, { pins, directory, run }),
    });
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
    return invalid({ path: [], message: error.message });
  }
}

async function loadUsed(use: unknown, options: Tree, context: EntryContext): Promise<Result<LoadedEntry>> {
  if (typeof use !== 'string' || use === '') {
    const got = use === undefined ? 'is required: ' : 'expected ';
    return invalid({ path: ['use'], message: `${got}the name of a plugin, a path or a package.` });
  }
  const found = await findFactory(use, context);
  if (found.value === undefined) return invalid(...found.findings);
  const written = isMap(context.written) ? withoutReserved(context.written) : options;
  const { definition } = found.value.factory;
  const inside = await loadHeld(definition, options, { ...context, written });
  if (inside.value === undefined) return invalid(...inside.findings);
  const { held, options: own } = inside.value;
  return withOptions(definition, own, written, { ...found.value, held });
}

/**
 * Options as an entry writes them: the plugins that it holds as entries, and a place that was read as `named` names it.
 *
 * @param named - by default as a config in any folder of the project can
 */
export function writtenOptions({ plugin, held }: LoadedEntry, named: NamePin = (place) => place): Tree {
  const { holds } = plugin.definition;
  const options = withPlaces(plugin, named);
  if (holds === undefined) return options;
  const entries = heldBy(plugin).map(({ plugin: child, ...own }, i) => ({
    use: held[i]!.use ?? child.definition.name,
    ...own,
    ...writtenOptions(held[i]!),
  }));
  return { ...options, [holds]: entries };
}

/** Options with the places that were read as they are to be named; those of held plugins are theirs. */
function withPlaces({ definition: { holds }, options, prepared }: Plugin, named: NamePin): Tree {
  if (!prepared) return options;
  const { places, pins } = prepared;
  const renamed = (leaf: unknown): unknown =>
    typeof leaf === 'string' && Object.hasOwn(places, leaf) ? named(places[leaf]!, pins[places[leaf]!]!) : leaf;
  return mapValues(options, (value, option) => (option === holds ? value : mapLeaves(value, renamed)));
}

const madeByCall = (plugin: Plugin): LoadedEntry => ({
  plugin,
  use: null,
  enabled: true,
  source: null,
  held: heldBy(plugin).map(({ plugin: child }) => madeByCall(child)),
});

/** Loads the entries in an option that holds plugins; anything but a list is left for the schema to refuse. */
async function loadHeld(
  { holds, options: schema }: Plugin['definition'],
  options: Tree,
  context: EntryContext,
): Promise<Result<{ options: Tree; held: LoadedEntry[] }>> {
  const list = holds === undefined ? undefined : options[holds];
  if (holds === undefined || !Array.isArray(list)) return valid({ options, held: [] });
  const keys = optionsOf(schemaAt(schema, [holds, 0], options));
  const own = (item: unknown): Tree => (isMap(item) ? pick(item, (key) => keys.includes(key)) : {});
  const entry = (item: unknown): unknown => (isMap(item) ? pick(item, (key) => !keys.includes(key)) : item);
  const findings: Finding[] = [];
  const items: Tree[] = [];
  const held: LoadedEntry[] = [];
  for (const [i, item] of list.entries()) {
    const written = valueAt(context.written, [holds, i]);
    const called = isMap(item) && isPlugin(item.plugin) ? valid(madeByCall(item.plugin)) : null;
    const loaded = called ?? (await loadEntry(entry(item), { ...context, written: entry(written) }));
    findings.push(...within([holds, i], loaded.findings));
    if (loaded.value === undefined) continue;
    if (!loaded.value.enabled) {
      const message = 'only an entry of the run can be switched off. Remove it.';
      findings.push({ path: [holds, i, 'enabled'], message });
    }
    held.push(loaded.value);
    items.push({ ...own(item), plugin: loaded.value.plugin });
  }
  return findings.length > 0 ? invalid(...findings) : valid({ options: { ...options, [holds]: items }, held });
}

const pick = (map: Tree, wanted: (key: string) => boolean): Tree =>
  Object.fromEntries(Object.entries(map).filter(([key]) => wanted(key)));

/** The options of an entry. */
export const withoutReserved = ({ use: _, enabled: __, pinned: ___, ...options }: Tree): Tree => options;

function withOptions(
  definition: Plugin['definition'],
  value: Tree,
  written: unknown,
  { use, source, held }: Pick<LoadedEntry, 'use' | 'source' | 'held'>,
): Result<LoadedEntry> {
  const options = check({ schema: definition.options, value, written, owner: definition.name });
  if (options.value === undefined) return invalid(...options.findings);
  return valid({ plugin: { definition, options: options.value }, use, enabled: true, source, held });
}

async function findFactory(
  use: string,
  context: EntryContext,
): Promise<Result<{ factory: PluginFactory; use: string; source: string | null }>> {
  const { registry, directory } = context;
  const wrong = (message: string): Result<never> => invalid({ path: ['use'], message });
  if (Object.hasOwn(registry, use)) return valid({ factory: (await registry[use]!()).default, use, source: null });
  const loaded = await loadOwnModule(use, context);
  if (loaded === null) return wrong(notFound(use, directory, Object.keys(registry)));
  if ('message' in loaded) return wrong(loaded.message);
  const problem = problemOf(loaded.value);
  if (problem) return wrong(`${use}: expected \`export default definePlugin({ … })\`, ${problem}.`);
  return valid({ factory: loaded.value as PluginFactory, use: loaded.name, source: loaded.source });
}

function notFound(use: string, directory: string, builtIn: readonly string[]): string {
  if (isPath(use)) return noFile(use, directory);
  const near = suggest(use, builtIn);
  const list = builtIn.length > 0 ? ` Built in: ${builtIn.join(', ')}.` : '';
  return (
    `there is no plugin "${use}".${near ? ` Did you mean "${near}"?` : ''}${list}\n` +
    'A path starts with ./; a package must be installed.'
  );
}

/** Why a default export is not a plugin; null when it is one. */
function problemOf(factory: unknown): string | null {
  if (factory === undefined) return 'got a module without a default export';
  if (isPlugin(factory)) return 'got a plugin that was already called: export the factory itself';
  if (typeof factory !== 'function') return `got ${displayValue(factory)}`;
  const { definition } = factory as Partial<PluginFactory>;
  if (!definition) return `got a function without a definition`;
  if (!/^[a-z][a-z0-9-]*$/.test(definition.name))
    return `got a plugin whose name is not kebab-case: "${definition.name}"`;
  if (typeof definition.options?.safeParse !== 'function')
    return `got "${definition.name}", whose options are not a zod schema`;
  const taken = RESERVED.filter((key) => key in (definition.options.shape ?? {}));
  return taken.length > 0
    ? `got "${definition.name}", whose option "${taken[0]}" has the name of an entry's own key`
    : null;
}
