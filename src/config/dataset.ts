import { isDeepStrictEqual } from 'node:util';
import { type Dataset, isDataset } from '../data/dataset.ts';
import { type DataOptions, dataOptions } from '../data/options.ts';
import { profileOf } from '../data/profile.ts';
import { datasets } from '../data/sets/registry.ts';
import { displayValue } from '../errors.ts';
import { check, invalid, type Result, valid } from './issues.ts';
import { loadOwnModule, type ModuleContext, noFile } from './own-module.ts';
import { type Tree, valueAt } from './tree.ts';

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

/** Finds the data set of a run and checks its own options. Findings are at paths from the config's root. */
export async function loadDataset(
  { name, options = {} }: DataOptions,
  context: ModuleContext & { /** The config as written. */ written: Tree },
): Promise<Result<LoadedDataset>> {
  const found = await findDataset(name, context);
  if (found.value === undefined) return invalid(...found.findings);
  const { dataset } = found.value;
  const written = valueAt(context.written, ['data', 'options']);
  const own = check({ schema: dataset.options, value: options, written, owner: dataset.name }, ['data', 'options']);
  return own.value === undefined ? invalid(...own.findings) : valid({ ...found.value, options: own.value });
}

async function findDataset(
  name: DataOptions['name'],
  context: ModuleContext,
): Promise<Result<Omit<LoadedDataset, 'options'>>> {
  const wrong = (message: string): Result<never> => invalid({ path: ['data', 'name'], message });
  if (isDataset(name)) return valid({ dataset: name, name: name.name, source: null });
  if (Object.hasOwn(datasets, name)) {
    return valid({ dataset: datasets[name as keyof typeof datasets], name, source: null });
  }
  const loaded = await loadOwnModule(name, context);
  if (loaded === null) return wrong(noFile(name, context.directory));
  if ('message' in loaded) return wrong(loaded.message);
  if (isDataset(loaded.value)) return valid({ ...loaded, dataset: loaded.value });
  const got = loaded.value === undefined ? 'a module without a default export' : displayValue(loaded.value);
  return wrong(`${name}: expected \`export default defineDataset({ … })\`, got ${got}.`);
}

/** The `data` section with all defaults in, in the order of the schema; `name` is as the config is to name the set. */
export function describeData<Name>(
  data: DataOptions,
  { dataset, options }: LoadedDataset,
  name: Name,
): Omit<DataOptions, 'name'> & { name: Name } {
  const { profile, ratio, mu } = profileOf(data, dataset.profile);
  const described = {
    ...data,
    ...(profile !== 'none' && { ratio }),
    ...(profile === 'step' && { mu }),
    augment: data.augment ?? (data.features ? [] : [...dataset.augment]),
    ...(Object.keys(options).length > 0 && { options }),
    name,
  };
  const keys = Object.keys(dataOptions.shape).filter((key) => key in described);
  return Object.fromEntries(keys.map((key) => [key, described[key as keyof typeof described]])) as typeof described;
}

/**
 * A logged `data` section as it decides a run's results: by what is in the module of a user's own, not by its place.
 * Augmentation that is the set's default is left out, and `ratio`, `mu` and a `validation` of 0 are in: hashes are what they
 * were before the first was logged and the others were not.
 */
export function decisiveData(section: Tree, { dataset, source }: LoadedDataset): Tree {
  const { augment, ...rest } = section;
  const { ratio, mu } = profileOf(section as DataOptions, dataset.profile);
  return {
    ...rest,
    validation: 0,
    ratio,
    mu,
    ...(!isDeepStrictEqual(augment, [...dataset.augment]) && { augment }),
    ...(source !== null && { name: dataset.name, source }),
  };
}
