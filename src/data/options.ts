import { z } from 'zod';
import { type Dataset, isDataset } from './dataset.ts';
import { transformOptions } from './transforms/options.ts';
import { interpolations } from './transforms/resample.ts';

/** Data sets that ship with tailmix. */
export const datasetNames = [
  'digits',
  'cifar10',
  'cifar100',
  'cinic10',
  'inat2018',
  'image-folder',
  'manifest',
  'blobs',
  'moons',
  'circles',
] as const;
export type DatasetName = (typeof datasetNames)[number];

/** Shapes of the training set: see {@link longTailCounts}. */
export const profileNames = ['exp', 'step', 'none'] as const;
export type ProfileName = (typeof profileNames)[number];

/** What packed files hold: decoded pixels, or the files as they are. */
export const packForms = ['pixels', 'files'] as const;
export type PackForm = (typeof packForms)[number];

/** A path, as `use` of a plugin entry has it. */
const ownModule = z
  .string()
  .regex(/^(\.{1,2}[/\\]|\/|[A-Za-z]:[/\\])/)
  .meta({ title: 'a path such as ./my-set.ts' });

const perChannel = z.array(z.number()).min(1);

// `abort`: a fraction that is none is told once, without what follows from it.
const share = z.number().min(0, { abort: true }).lt(1, { abort: true }).default(0);

function isPattern(text: string): boolean {
  try {
    return Boolean(new RegExp(text, 'u'));
  } catch {
    return false;
  }
}

const splitOptions = z
  .strictObject({
    validation: share.describe('Fraction of the images for validation: what settings and epochs are chosen on.'),
    test: share.describe('Fraction of the images for test, of a data set that has no test images of its own.'),
    group: z
      .union([
        z.string().min(1).refine(isPattern, 'expected a regular expression'),
        z.strictObject({
          column: z.string().min(1).describe('Column of a manifest; images with the same text in it stay together.'),
        }),
      ])
      .optional()
      .describe(
        'Images that stay together: a regular expression on the path below `root`, whose first group (else the whole match) names them, or `{ column }` of a manifest. Images without a match stand alone.',
      ),
  })
  .refine(
    ({ validation, test }) => validation + test < 1,
    'expected fractions that leave images to train on: a sum below 1',
  );

/** `data.split` with its defaults in. */
export type SplitOptions = z.output<typeof splitOptions>;

/** The `data` section of a run: which images, how long the tail, and how they are read. */
const section = z.strictObject({
  name: z
    .union([z.enum(datasetNames), ownModule, z.custom<Dataset>(isDataset)])
    .describe(
      'Data set: `digits` comes with tailmix, `blobs`, `moons` and `circles` are drawn, the others are read from `root`; or the path of a module of your own, relative to the config (`./my-set.ts`).',
    ),
  options: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Options of the data set itself; docs/data.md has those of the built-in ones.'),
  root: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of the data. Default: TAILMIX_DATA, else `data` in the cache folder of the user.'),
  profile: z
    .enum(profileNames)
    .optional()
    .describe(
      'Images per class: `exp` falls exponentially, `step` has two levels, `none` keeps all. Default: `exp`; for inat2018, image-folder, manifest and your own `none`.',
    ),
  ratio: z
    .number()
    .min(1)
    .optional()
    .describe('Imbalance ratio: largest class over smallest. Not used by `none`. Default: 100.'),
  mu: z.number().gt(0).lt(1).optional().describe('Fraction of classes that are small; `step` only. Default: 0.5.'),
  subsetSeed: z
    .int()
    .min(0)
    .max(0xffffffff)
    .default(0)
    .describe('Seed of the choice of images (NumPy’s legacy seed); separate from the seed of the run.'),
  split: splitOptions
    .optional()
    .describe(
      'Parts of every class that are held out of the training images, before the profile is applied. The content of an image and subsetSeed decide where it goes.',
    ),
  augment: z
    .array(transformOptions)
    .optional()
    .describe(
      'Transforms of training images, in order. Default: pad-crop and flip for cifar10, cifar100 and cinic10, random-resized-crop and flip for inat2018, else none.',
    ),
  mean: perChannel.optional().describe('Mean per channel of pixels in 0…1. Default: that of the data set.'),
  std: z
    .array(z.number().positive())
    .min(1)
    .optional()
    .describe('Standard deviation per channel of pixels in 0…1. Default: that of the data set.'),
  imageSize: z
    .union([z.int().positive(), z.tuple([z.int().positive(), z.int().positive()])])
    .optional()
    .describe(
      'Side in pixels, or [height, width], that images are scaled and centre-cropped to: of image-folder, manifest and inat2018 when they are packed, of cifar10, cifar100 and cinic10 whenever they are read. Default: packSize, else the size of the images if they all have one of at most 256, else a square of at most 224 by their sizes; for inat2018 224.',
    ),
  packSize: z
    .union([z.int().positive(), z.tuple([z.int().positive(), z.int().positive()])])
    .optional()
    .describe(
      'Size at which images are packed, for transforms that cut imageSize out of it; evaluation takes the centre. Of cifar10, cifar100 and cinic10, size that images are scaled to after their transforms. Default: imageSize; for inat2018 256 where neither is given.',
    ),
  cropFraction: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe(
      'imageSize over packSize (timm’s crop_pct), in place of packSize: images are packed at ⌊imageSize / cropFraction⌋, evaluation takes the centre.',
    ),
  interpolation: z
    .enum(interpolations)
    .optional()
    .describe('Filter that images are scaled with, as Pillow does. Default: `bilinear`.'),
  pack: z
    .enum(packForms)
    .optional()
    .describe(
      'What packed files hold: `pixels`, decoded once, or `files`, the image files as they are, decoded whenever they are read. Runs are the same to the bit; `files` takes the room of the files and is slower. Default: `pixels`.',
    ),
  exif: z
    .enum(['honour', 'ignore'])
    .optional()
    .describe(
      'Whether images are turned as their EXIF orientation says, as browsers do, or taken as stored, as torchvision does. Default: `honour`.',
    ),
  features: z
    .boolean()
    .optional()
    .describe(
      'Train the classifier alone, on features that the network computes once for each image, without augmentation. Default: false.',
    ),
  workers: z.int().min(0).max(64).default(1).describe('Threads that load and augment images; 0 loads in the main one.'),
  onCorrupt: z
    .enum(['error', 'skip'])
    .default('error')
    .describe('What an unreadable image does: end the run, or be left out and counted.'),
});

/** `data`. */
export const dataOptions = section.refine(
  ({ packSize, cropFraction }) => packSize === undefined || cropFraction === undefined,
  {
    path: ['cropFraction'],
    message: 'expected packSize or cropFraction, got both: cropFraction says what packSize is',
  },
);

/** `data` with its defaults in. */
export type DataOptions = z.output<typeof dataOptions>;
/** `data` as a user writes it. */
export type DataInput = z.input<typeof dataOptions>;

/** How images are prepared, where a data set leaves it open. */
type Preprocessing = Required<Pick<DataOptions, 'mean' | 'std' | 'imageSize' | 'cropFraction' | 'interpolation'>>;

const NOT_RGB: readonly unknown[] = ['digits', 'blobs', 'moons', 'circles'] satisfies DatasetName[];
/** Those of ours whose images can have any size. */
const SCALED: readonly unknown[] = datasetNames.filter((name) => !NOT_RGB.includes(name));

/** Which of its options are not those of published weights. */
export function ownPreprocessing(data: DataOptions, found: Preprocessing): string[] {
  const names = ['mean', 'std', 'imageSize', 'cropFraction', 'interpolation'] as const;
  const applied = SCALED.includes(data.name) ? names : (['mean', 'std'] as const);
  const sides = (value: unknown): string => String(typeof value === 'number' ? [value, value] : value);
  return [
    ...(data.packSize === undefined ? [] : ['packSize']),
    ...applied.filter((name) => data[name] !== undefined && sides(data[name]) !== sides(found[name])),
  ];
}

/** Options with the preprocessing of published weights where they say nothing else. */
export function withPreprocessing(data: DataOptions, found: Preprocessing): DataOptions {
  if (NOT_RGB.includes(data.name)) return data;
  const { mean, std, interpolation, imageSize, cropFraction } = found;
  const isSized = data.packSize !== undefined;
  return {
    ...data,
    mean: data.mean ?? mean,
    std: data.std ?? std,
    ...(SCALED.includes(data.name) && {
      interpolation: data.interpolation ?? interpolation,
      ...(!isSized && { imageSize: data.imageSize ?? imageSize, cropFraction: data.cropFraction ?? cropFraction }),
    }),
  };
}
