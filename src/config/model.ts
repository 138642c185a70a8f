import { isModelChoice, type ModelChoice, type ModelFactory } from '../models/definition.ts';
import { isBuiltIn, type ModelSection } from '../models/options.ts';
import { pinBackbone } from '../models/pin.ts';
import { displayValue } from './display.ts';
import { describeIssues, type Finding } from './issues.ts';
import { findFile, isPath, loadOwnModule, noFile, portable } from './own-module.ts';
import { isMap, type Tree } from './tree.ts';
import type { PluginRegistry } from './types.ts';

/** A model of the user's own that a config names, or holds as a call. */
export interface LoadedModel {
  choice: ModelChoice;
  /** As the config is logged; null for a call. */
  use: string | null;
  /** SHA-256 of its file; null for a call or a package. */
  source: string | null;
}

/** Where a `model` section stands. */
export interface ModelContext {
  registry: PluginRegistry;
  /** Folder that paths are relative to. */
  directory: string;
  /** The section with placeholders where it had them. */
  written: unknown;
}

/** Loads the model of a section that names a file or a package; null where it is one of tailmix's own, or nothing. */
export async function loadModel(section: unknown, context: ModelContext): Promise<LoadedModel | Finding[] | null> {
  if (isModelChoice(section)) return { choice: section, use: null, source: null };
  if (!isMap(section) || typeof section.name !== 'string' || isBuiltIn(section.name)) return null;
  const { name, ...options } = section as Tree & { name: string };
  const found = await loadOwnModule(name, context);
  const at = (message: string): Finding[] => [{ path: ['model', 'name'], message }];
  if (found === null) return isPath(name) ? at(noFile(name, context.directory)) : null;
  if ('message' in found) return at(found.message);
  const { value: exported, name: use, source } = found;
  const problem = problemOf(exported);
  if (problem) return at(`${name}: expected \`export default defineModel({ … })\`, ${problem}.`);
  const { definition } = exported as ModelFactory;
  const parsed = definition.options.safeParse(options);
  if (parsed.success) return { choice: { definition, options: parsed.data }, use, source };
  const { name: _, ...written } = isMap(context.written) ? context.written : options;
  const checked = { schema: definition.options, value: options, written, owner: definition.name };
  return describeIssues(parsed.error.issues, checked).map(({ path, message }) => ({
    path: ['model', ...path],
    message,
  }));
}

function problemOf(exported: unknown): string | null {
  if (exported === undefined) return 'got a module without a default export';
  if (isModelChoice(exported)) return 'got a model that was already called: export the factory itself';
  if (typeof exported !== 'function') return `got ${displayValue(exported)}`;
  const { definition } = exported as Partial<ModelFactory>;
  return typeof definition?.create === 'function' ? null : 'got a function without a definition';
}

/**
 * The files of a backbone, found from the config that names them and pinned by their checksum, which then decides the
 * hash of the config.
 */
export async function pinModel(model: ModelSection, directory: string): Promise<ModelSection> {
  if (!('path' in model)) return model;
  const path = findFile(model.path, directory) ?? model.path;
  return { ...model, path: portable(path), sha256: await pinBackbone({ ...model, path }) };
}

/** A section as it decides a run's results: not where a file lies, but what is in it. */
export function decisiveModel(section: Tree, loaded: LoadedModel | null): Tree {
  if (loaded) {
    const { choice, source } = loaded;
    return { ...section, name: choice.definition.name, ...(source ? { source } : {}) };
  }
  const { path: _, ...rest } = section;
  return rest;
}
