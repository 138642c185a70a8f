import { cifar10 } from './cifar10.ts';
import { digits } from './digits.ts';
import { imageFolder } from './image-folder.ts';
import type { DatasetName } from './options.ts';
import type { Dataset } from './types.ts';

/** The built-in data sets by name. */
export const datasets: Readonly<Record<DatasetName, Dataset>> = { digits, cifar10, 'image-folder': imageFolder };
