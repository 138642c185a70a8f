import type { FeatureSource } from './features.ts';
import type { PackForm, ProfileName } from './options.ts';
import type { Exif, Resize } from './packed/decode.ts';
import type { Scale, Shape } from './transforms/augment.ts';
import type { TransformOptions } from './transforms/options.ts';
import type { Interpolation } from './transforms/resample.ts';

/** What is known of the images of a data set. */
export interface ImageInfo {
  name: string;
  /** Class names in label order. */
  classes: readonly string[];
  /** `[height, width, channels]` of one image, in pixels. */
  shape: readonly [number, number, number];
  /** The same of what is packed, where transforms cut `shape` out of it. */
  packShape?: readonly [number, number, number];
  /** The same of what is kept, where images are scaled to `packShape` (or `shape`) whenever they are read. */
  keptShape?: readonly [number, number, number];
  /** How photos of other sizes are scaled to that. Default: `bilinear`. */
  interpolation?: Interpolation;
  /** Per channel, of pixel values scaled to 0…1. */
  mean: readonly number[];
  std: readonly number[];
  /** Of rows of features instead of images: `shape` is then `[1, 1, D]` of float32, without `mean` and `std`. */
  features?: FeatureSource;
  /** What a reader must know of the splits, where the data themselves decided it; a plan says it. Default: nothing. */
  notes?: readonly string[];
}

/** What is published of the training images per class, where the counts themselves come with the data. */
export interface CountSummary {
  /** Training images. */
  total: number;
  /** Images of the largest class. */
  largest: number;
  /** Images of the smallest class. */
  smallest: number;
  /** File with the counts. */
  source: string;
}

/** What is known of a data set without reading its images, so that `tailmix plan` works anywhere. */
export interface DatasetInfo extends ImageInfo {
  /** Training images per class before validation and long-tail profile, `[C]`, or what is known of them. */
  fullCounts: readonly number[] | CountSummary;
  /** Size of a test split that the data set has of its own; 0 for none. */
  testCount: number;
  /** Size of a validation split that the data set has of its own. Default: it has none. */
  validationCount?: number;
}

/** What a run will train on, known before any image is read. */
export interface DataPlan {
  info: DatasetInfo;
  profile: ProfileName;
  /** Training images per class after validation and profile, `[C]`, or what is known of them. */
  classCounts: readonly number[] | CountSummary;
  /** Images of the validation split, cut (then about so many) or the data set's own; 0 for none. */
  validationCount: number;
  /** Images of the test split, as {@link validationCount}. */
  testCount: number;
  /** Transforms of training images, in order. */
  augment: readonly TransformOptions[];
}

/** Where the pixels of a split lie; plain data, so that a worker thread can open it too. */
export type PixelSource = {
  /** Of each image; default: the shape that the model takes. A larger one has its centre cut out. */
  shape?: Shape;
  /** How an image is scaled, after its transforms, where it does not have the shape that the model takes. Default: it is not. */
  scale?: Scale;
  /** How rows are made where the source holds encoded files. Default: it holds pixels. */
  encoded?: EncodedImages;
} & (
  | { kind: 'memory'; bytes: SharedArrayBuffer }
  | {
      kind: 'file';
      path: string;
      /** Byte offset of image 0. */
      offset: number;
      /** `[N]`, CRC-32 of each image, checked when it is read; in shared memory. Default: images are not checked. */
      checksums?: Uint32Array;
    }
);

/** Image files that are decoded whenever they are read. */
export interface EncodedImages {
  /** Packed file, for messages. */
  path: string;
  /** `[N + 1]`, byte offset of each file in the source, and where the last one ends; in shared memory. */
  starts: Float64Array;
  /** `[N]`, CRC-32 of each decoded image; in shared memory. */
  checksums: Uint32Array;
  /** As they were decoded when they were packed. */
  resize: Resize | null;
  exif: Exif;
}

/** Images of one split: row i is `height × width × channels` uint8, at `i × bytesPerImage` of its source. */
export interface Split {
  name: 'train' | 'validation' | 'test';
  /** `[N]`, class of each row. */
  labels: Int32Array;
  pixels: PixelSource;
  /** `[N × 16]`, content of each image's file, where every image is one. Default: pixels are compared themselves. */
  hashes?: Uint8Array;
  /** `[N]`, file of each row, where every image is a file. */
  files?: readonly string[];
  /** `[N]`, group of each row for `data.split`, null for none. Default: the data set knows of no groups. */
  groups?: readonly (string | null)[];
  /** Files that were left out (`onCorrupt: skip`). */
  unreadable?: readonly Unreadable[];
  /** Of a packed split: SHA-256 of all its images as they are stored, hex, and what it was packed from. */
  packed?: { imagesSha256: string; source?: { dataset: string; folder: string } };
}

/** A file that could not be read as an image of the set. */
export interface Unreadable {
  path: string;
  /** In the words of the message that `onCorrupt: error` ends with. */
  reason: string;
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
  info: ImageInfo;
  train: Subset;
  /**
   * For anything that is chosen: the data set's own validation split, else the part that `data.split` holds out; null
   * where there is neither.
   */
  validation: Subset | null;
  test: Subset;
  /** Transforms of training images, in order: the option, or the default of the data set. */
  augment: readonly TransformOptions[];
  /** Unreadable files that were left out (`onCorrupt: skip`). */
  skipped: readonly string[];
  /** Threads that load images, as `data.workers`. Default 1. */
  workers?: number;
}

/** An image file. */
export interface ImageFile {
  path: string;
  label: number;
}

/** The image files of a split, in row order. */
export interface ImageList {
  /** What messages call it: a folder, or the file that lists them. */
  folder: string;
  /** Folder that packed files name images relative to. */
  base: string;
  files: readonly ImageFile[];
}

/**
 * Called while images are decoded: `done` of `total` files of a split, whose packed file will have `bytes`, or a little
 * more; `fileBytes` where it holds pixels: what `data.pack: files` would take.
 */
export type ReadProgress = (progress: {
  split: string;
  done: number;
  total: number;
  bytes: number;
  fileBytes?: number;
  /** Where features are computed: the network. Default: images are decoded. */
  backbone?: string;
}) => void;

/** What a data set is given when its images are read. */
export interface ReadContext {
  /** Folder for packed files. */
  cache: string;
  /** Name of the data set, which packed files keep. */
  dataset?: string;
  /** Make packed files anew where there are any. Default: no. */
  fresh?: boolean;
  /** What packed files hold. Default: `pixels`. */
  pack?: PackForm;
  onProgress: ReadProgress;
}

/** Images of a data set, all splits that it has. */
export interface DatasetImages {
  info: ImageInfo;
  train: Split;
  /** Where the data set has one of its own. */
  validation?: Split;
  /** Where the data set has one of its own; else `data.split.test` must hold one out. */
  test?: Split;
}

/** Rows of one step. `positions` seed the augmentation: the place in the epoch's index list, never the image. */
export interface StepRows {
  /** `[rows]`, rows of the split. */
  indices: Int32Array;
  /** `[rows]`. */
  positions: Int32Array;
  /** `[rows]`, where each row is from: 0 the split that is loaded, k the k-th other source. Default: all are of the split. */
  sources?: Uint8Array;
  /** `[rows]`, what transforms of augmented loads are weakened to, 0…1. Default: 1. */
  strengths?: Float32Array;
}

/** Rows that are loaded beside those of a split: of whatever split, with random numbers of their own. */
export interface OtherRows {
  /** Unique; the name of their random numbers. */
  key: string;
  split: Split;
  /** Transforms, in order, which {@link StepRows.strengths} leave alone. Default: those of the load. */
  augment?: readonly TransformOptions[] | undefined;
}

/** A loaded step: uint8 pixels, not yet normalised. The buffers are the loader's until `release`. */
export interface LoadedRows {
  /** `[rows, height, width, channels]`; a view of shared memory. */
  images: Uint8Array;
  /** `[rows]`. */
  labels: Int32Array;
  /** Gives the buffers back to the loader; they must not be read afterwards. */
  release(): void;
}

/** Reads and augments batches ahead of the step, in worker threads. */
export interface Loader {
  /** Loads `steps` in order, keeping a few ready ahead. Stopping the iteration early frees everything in flight. */
  load(
    split: Split,
    steps: readonly StepRows[],
    epoch: number,
    augmented: boolean,
    others?: readonly OtherRows[],
  ): AsyncIterable<LoadedRows>;
  /** Crops of an image that loads without augmentation take, by the position. */
  readonly crops: number;
  /** Milliseconds that the consumer has waited for rows since the loader was made. */
  readonly waitMs: number;
  /** Ends the threads. */
  close(): Promise<void>;
}
