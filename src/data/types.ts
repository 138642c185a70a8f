/** What is known of a data set without reading it, so that `tailmix plan` works anywhere. */
export interface DatasetInfo {
  name: string;
  /** Class names in label order. */
  classes: readonly string[];
  /** `[height, width, channels]` of one image, in pixels. */
  shape: readonly [number, number, number];
  /** Per channel, of pixel values scaled to 0…1. */
  mean: readonly number[];
  std: readonly number[];
  /** Images per class before any long-tail profile, `[C]`. */
  fullCounts: readonly number[];
  /** Size of the test split. */
  testCount: number;
}

/** Where the pixels of a split lie; plain data, so that a worker thread can open it too. */
export type PixelSource =
  | { kind: 'memory'; bytes: SharedArrayBuffer }
  | { kind: 'file'; path: string /** Byte offset of image 0. */; offset: number };

/** Images of one split: row i is `height × width × channels` uint8, at `i × bytesPerImage` of its source. */
export interface Split {
  name: 'train' | 'validation' | 'test';
  /** `[N]`, class of each row. */
  labels: Int32Array;
  pixels: PixelSource;
}

/** A part of a split: which rows take part. The long-tailed training set is one. */
export interface Subset {
  split: Split;
  /** `[n]`, rows of the split, in class order. */
  indices: Int32Array;
  /** SHA-256 over the rows as little-endian int32, hex: two runs with one hash trained on the same images. */
  hash: string;
  /** `[C]`. */
  classCounts: Int32Array;
}

/** Everything a run needs to know of its data. */
export interface LoadedData {
  info: Omit<DatasetInfo, 'fullCounts' | 'testCount'>;
  train: Subset;
  /** Class-balanced part cut from the training images, for anything that is chosen; null unless asked for. */
  validation: Subset | null;
  test: Subset;
}

/** Rows of one step. `positions` seed the augmentation: the place in the epoch's index list, never the image. */
export interface StepRows {
  /** `[rows]`, rows of the split. */
  indices: Int32Array;
  /** `[rows]`. */
  positions: Int32Array;
}

/** A loaded step: uint8 pixels, not yet normalised. The buffers are the loader's until `release`. */
export interface LoadedRows {
  /** `[rows, height, width, channels]`. */
  images: Uint8Array;
  /** `[rows]`. */
  labels: Int32Array;
  /** Gives the buffers back to the loader; they must not be read afterwards. */
  release(): void;
}

/** Reads and augments batches ahead of the step, in worker threads. */
export interface Loader {
  /** Loads `steps` in order, keeping a few ready ahead. Stopping the iteration early frees everything in flight. */
  load(split: Split, steps: readonly StepRows[], epoch: number, augmented: boolean): AsyncIterable<LoadedRows>;
  close(): Promise<void>;
}
