import { type Dataset, isDataset } from '../data/dataset.ts';
import type { DataOptions } from '../data/options.ts';
import { datasets } from '../data/sets/registry.ts';
import { displayValue } from './display.ts';
import { describeIssues, type Finding } from './issues.ts';
import { loadOwnModule, noFile } from './own-module.ts';
import { type Tree, valueAt } from './tree.ts';
import type { PluginRegistry } from './types.ts';

/** The data set of a run. */
export interface LoadedDataset {
  dataset: Dataset;
  /** `data.options` with the defaults of the set in. */
  options: Tree;
  /** As a resolved config names it. */
  name: string;
  /** SHA-256 of its file, hex; null for a built-in one and for one passed in code. */
  source: string | null;
}

/** Finds the data set of a run and checks its own options. What is wrong comes back, at paths from the config's root. */
export async function loadDataset(
  { name, options = {} }: DataOptions,
  context: { registry: PluginRegistry; directory: string /** The config as written. */; written: Tree },
): Promise<LoadedDataset | Finding[]> {
  const found = await findDataset(name, context);
  if ('message' in found) return [{ path: ['data', 'name'], message: found.message }];
  const { dataset } = found;
  const parsed = dataset.options.safeParse(options);
  if (parsed.success) return { ...found, options: parsed.data };
  const written = valueAt(context.written, ['data', 'options']);
  const checked = { schema: dataset.options, value: options, written, owner: dataset.name };
  return describeIssues(parsed.error.issues, checked).map(({ path, message }) => ({
    path: ['data', 'options', ...path],
    message,
  }));
}

async function findDataset(
  name: DataOptions['name'],
  context: { registry: PluginRegistry; directory: string },
): Promise<Omit<LoadedDataset, 'options'> | { message: string }> {
  if (isDataset(name)) return { dataset: name, name: name.name, source: null };
  if (Object.hasOwn(datasets, name)) return { dataset: datasets[name as keyof typeof datasets], name, source: null };
  const loaded = await loadOwnModule(name, context);
  if (loaded === null) {
    return { message: noFile(name, context.directory) };
  }
  if ('message' in loaded) return loaded;
  if (isDataset(loaded.value)) return { ...loaded, dataset: loaded.value };
  const got = loaded.value === undefined ? 'a module without a default export' : displayValue(loaded.value);
  return { message: `${name}: expected \`export default defineDataset({ … })\`, got ${got}.` };
}
