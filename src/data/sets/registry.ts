import type { DatasetName } from '../options.ts';
import type { Dataset } from '../types.ts';
import { cifar10 } from './cifar10.ts';
import { cifar100 } from './cifar100.ts';
import { cinic10 } from './cinic10.ts';
import { digits } from './digits.ts';
import { imageFolder } from './image-folder.ts';
import { inat2018 } from './inat2018.ts';

/** The built-in data sets by name. */
export const datasets: Readonly<Record<DatasetName, Dataset>> = {
  digits,
  cifar10,
  cifar100,
  cinic10,
  inat2018,
  'image-folder': imageFolder,
};
