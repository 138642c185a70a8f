import { z } from 'zod';
import { policyNames } from './auto-augment.ts';
import { interpolations } from './resample.ts';

const chance = (value: number, description: string) => z.number().min(0).max(1).default(value).describe(description);
const strength = (value: number, description: string) => z.number().min(0).default(value).describe(description);
const range = (low: number, high: number, description: string) =>
  z
    .tuple([z.number().positive(), z.number().positive()])
    .refine(([from, to]) => from <= to, 'expected the smaller number first')
    .default([low, high])
    .describe(description);

const interpolation = z
  .enum(interpolations)
  .optional()
  .describe('Filter that it is scaled with, as Pillow does. Default: `bilinear`.');

/** How the smallest share of `random-resized-crop` rises to the largest one. */
export const growths = ['linear', 'convex', 'concave'] as const;

const padCrop = z
  .strictObject({
    name: z.literal('pad-crop'),
    padding: z.int().min(0).default(4).describe('Pixels of zeros on each side before the crop.'),
  })
  .describe(
    'Pads with zeros on all sides and cuts a window of the size that the model takes, or of an image that is scaled after its transforms of its own size, at a random place.',
  );

const flip = z
  .strictObject({
    name: z.literal('flip'),
    probability: chance(0.5, 'Chance that an image is mirrored.'),
  })
  .describe('Mirrors left and right.');

const resize = z
  .strictObject({
    name: z.literal('resize'),
    size: z
      .union([z.int().positive(), z.tuple([z.int().positive(), z.int().positive()])])
      .describe('Side in pixels, or [height, width].'),
    interpolation,
  })
  .describe('Scales to a size, whatever the ratio of the sides.');

const randomResizedCrop = z
  .strictObject({
    name: z.literal('random-resized-crop'),
    scale: range(0.08, 1, 'Smallest and largest share of the area that is cut out.'),
    ratio: range(3 / 4, 4 / 3, 'Smallest and largest width over height of what is cut out.'),
    growth: z
      .enum(growths)
      .optional()
      .describe(
        'How the smallest share rises to the largest one from the first epoch of the run to the last (LIFT+ has `convex`): by t (`linear`), 1 − √(1 − t²) (`convex`) or √(1 − (1 − t)²) (`concave`), with t from 0 to 1. Default: it stays.',
      ),
    interpolation,
  })
  .describe('Cuts out a random part and scales it to the size that the model takes (Szegedy et al. 2015).');

const colorJitter = z
  .strictObject({
    name: z.literal('color-jitter'),
    brightness: strength(0.4, 'Factor from 1 − b to 1 + b, but not below 0.'),
    contrast: strength(0.4, 'The same for the distance from the mean grey.'),
    saturation: strength(0.4, 'The same for the distance from the grey of the pixel.'),
    hue: z.number().min(0).max(0.5).default(0).describe('Largest turn of the hue, in turns.'),
  })
  .describe('Changes brightness, contrast, saturation and hue by random amounts in random order. Needs RGB.');

const pcaLighting = z
  .strictObject({
    name: z.literal('pca-lighting'),
    std: strength(0.1, 'Standard deviation of the three coefficients.'),
  })
  .describe(
    'Adds the principal components of ImageNet’s colours, randomly weighted (Krizhevsky et al. 2012). Needs RGB.',
  );

const randAugment = z
  .strictObject({
    name: z.literal('rand-augment'),
    operations: z.int().positive().default(2).describe('Operations an image, N.'),
    magnitude: z.int().min(0).max(30).default(9).describe('Strength of each, M, from 0 to 30.'),
    probability: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Chance that an image is changed at all. Default: every image is.'),
  })
  .describe('Draws operations of 14 with replacement, all of one strength (Cubuk et al. 2020). Needs RGB.');

const autoAugment = z
  .strictObject({
    name: z.literal('auto-augment'),
    policy: z.enum(policyNames).default('cifar10').describe('Data set whose policy it is.'),
  })
  .describe(
    'Draws one of 25 pairs of operations, each of which has its chance and strength (Cubuk et al. 2019). Needs RGB.',
  );

const cutout = z
  .strictObject({
    name: z.literal('cutout'),
    size: z.int().positive().default(16).describe('Side of the square in pixels.'),
    count: z.int().positive().default(1).describe('Squares an image.'),
  })
  .describe('Covers a square around a random pixel with the mean colour of the data set (DeVries and Taylor 2017).');

/** One entry of `data.augment`. */
export const transformOptions = z.discriminatedUnion('name', [
  padCrop,
  flip,
  resize,
  randomResizedCrop,
  colorJitter,
  pcaLighting,
  randAugment,
  autoAugment,
  cutout,
]);
export type TransformOptions = z.output<typeof transformOptions>;
/** A transform as it is written: options that are left out have their defaults. */
export type TransformInput = z.input<typeof transformOptions>;
