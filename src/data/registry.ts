import { digits } from './digits.ts';
import type { DatasetName } from './options.ts';
import type { Dataset } from './types.ts';

/** The built-in data sets by name. */
export const datasets: Readonly<Record<DatasetName, Dataset>> = { digits };
