import { z } from 'zod';
import { splitRefused } from './errors.ts';
import type { DataOptions, ProfileName } from './options.ts';
import type { TransformOptions } from './transforms/options.ts';
import type { DatasetImages, DatasetInfo, ReadContext, Split } from './types.ts';

/** `data` as a data set gets it: with options of its own. */
export type DatasetInput<Options> = Omit<DataOptions, 'options'> & { options: Options };

/** A data set as a module: what tailmix must know of one to train on it. */
export interface DatasetDefinition<Options extends z.ZodObject = z.ZodObject> {
  /** kebab-case; what messages, tables and `subset.json` call it. */
  name: string;
  /** Schema of `data.options`: `z.strictObject`, each option described, with a default where it has one. Default: none. */
  options?: Options;
  /** Default of `data.profile`. Default: `none`. */
  profile?: ProfileName;
  /** Default of `data.augment`. Default: none. */
  augment?: readonly TransformOptions[];
  /** Counts and shape. Must not need the images where the set is of a known size. */
  describe(data: DatasetInput<z.output<Options>>): DatasetInfo | Promise<DatasetInfo>;
  /** Opens both splits, and that of validation where there is one. */
  read(data: DatasetInput<z.output<Options>>, context: ReadContext): Promise<DatasetImages>;
}

/** A data set as core handles it: what may be left out is in. */
export type Dataset = Required<DatasetDefinition>;

/** Instances of this are data sets; a plain object, which a config may hold for other reasons, is none. */
const prototype = Object.freeze({});

/** Whether a value was made by {@link defineDataset}. */
export const isDataset = (value: unknown): value is Dataset =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === prototype;

/**
 * Makes a data set: the default export of a module that a config names (`data: { name: ./my-set.ts }`), or in code
 * `data: { name: mySet }`.
 */
export function defineDataset<Options extends z.ZodObject>(definition: DatasetDefinition<Options>): Dataset {
  const defaults = { options: z.strictObject({}), profile: 'none', augment: [] };
  return Object.freeze(Object.assign(Object.create(prototype), defaults, definition)) as Dataset;
}

/**
 * A split whose images lie in memory, where loader threads can read them too.
 *
 * @param labels - `[N]`, class of each image
 * @param pixels - `[N, height, width, channels]`; copied
 * @throws {TailmixError} DATA_MODULE for what is no whole number, or no bytes
 */
export function splitInMemory(name: Split['name'], labels: ArrayLike<number>, pixels: Uint8Array): Split {
  const odd = Array.prototype.findIndex.call(labels, (label) => !Number.isInteger(label));
  if (odd >= 0) throw splitRefused(name, 'labels that are whole numbers', `${labels[odd]} for image ${odd}`);
  if (pixels.BYTES_PER_ELEMENT !== 1) throw splitRefused(name, 'pixels as a Uint8Array', pixels.constructor.name);
  const bytes = new SharedArrayBuffer(pixels.length);
  new Uint8Array(bytes).set(pixels);
  return { name, labels: Int32Array.from(labels), pixels: { kind: 'memory', bytes } };
}
