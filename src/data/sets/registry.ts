import { type Dataset, isDataset } from '../dataset.ts';
import { datasetUnknown } from '../errors.ts';
import type { DataInput, DataOptions, DatasetName } from '../options.ts';
import { cifar10 } from './cifar10.ts';
import { cifar100 } from './cifar100.ts';
import { cinic10 } from './cinic10.ts';
import { digits } from './digits.ts';
import { imageFolder } from './image-folder.ts';
import { inat2018 } from './inat2018.ts';
import { manifest } from './manifest.ts';
import { blobs, circles, moons } from './toys.ts';

/** The built-in data sets by name. */
export const datasets: Readonly<Record<DatasetName, Dataset>> = {
  digits,
  cifar10,
  cifar100,
  cinic10,
  inat2018,
  'image-folder': imageFolder,
  manifest,
  blobs,
  moons,
  circles,
};

/**
 * The data set that `data.name` names.
 *
 * @throws {TailmixError} DATA_UNKNOWN for a path: a config's is loaded with the config
 */
export function datasetOf({ name }: Pick<DataOptions, 'name'>): Dataset {
  if (isDataset(name)) return name;
  if (!Object.hasOwn(datasets, name)) throw datasetUnknown(name, Object.keys(datasets));
  return datasets[name as DatasetName];
}

/** What a data set is called. */
export const datasetName = (name: DataInput['name']): string => (isDataset(name) ? name.name : name);
