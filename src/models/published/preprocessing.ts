import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type Interpolation, interpolations } from '../../data/transforms/resample.ts';
import { messageOf, TailmixError } from '../../errors.ts';
import { sizeOfFile } from '../../weights/file.ts';
import { openWeights } from '../../weights/index.ts';
import { LONGEST_DESCRIPTION } from '../../weights/limits.ts';
import { visionTransformers } from '../vit-forms.ts';
import { weightsConfig } from './errors.ts';
import type { PublishedWeights } from './read.ts';
import { formOf } from './vit.ts';

/** How images were prepared that published weights were trained on, for evaluation. */
export interface PublishedPreprocessing {
  /** `[height, width]` of the network's input. */
  imageSize: [number, number];
  /** Share of the scaled image that it is: timm's `crop_pct`. */
  cropFraction: number;
  interpolation: Interpolation;
  /** Per channel, of pixels in 0…1. */
  mean: number[];
  std: number[];
}

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** torchvision's first weights of each network. */
const bilinear: PublishedPreprocessing = {
  imageSize: [224, 224],
  cropFraction: 0.875,
  interpolation: 'bilinear',
  ...IMAGENET,
};

/** timm's of the ViTs that were trained on ImageNet-21k. */
const augreg: PublishedPreprocessing = {
  imageSize: [224, 224],
  cropFraction: 0.9,
  interpolation: 'bicubic',
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

const clip: PublishedPreprocessing = {
  imageSize: [224, 224],
  cropFraction: 1,
  interpolation: 'bicubic',
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** DINOv2's evaluation; DeiT III's too. */
const bicubic: PublishedPreprocessing = { ...bilinear, interpolation: 'bicubic' };

const pretrained = z.object({
  input_size: z.tuple([z.literal(3), z.int().positive(), z.int().positive()]),
  crop_pct: z.number().gt(0).max(1),
  interpolation: z.enum(interpolations),
  mean: z.array(z.number()).length(3),
  std: z.array(z.number().positive()).length(3),
});

/**
 * How images are prepared for published weights: as the `config.json` next to the file says (timm's `pretrained_cfg`), else by
 * the network and the form of the file. Null where there is no file.
 *
 * @throws {TailmixError} WEIGHTS_CONFIG, and what `openWeights` throws.
 */
export async function preprocessingOf({ name, file }: PublishedWeights): Promise<PublishedPreprocessing | null> {
  if (!existsSync(file)) return null;
  const beside = besideOf(file);
  const config = await configOf(beside);
  if (config !== undefined) {
    const found = pretrained.safeParse(config);
    if (!found.success) {
      const [{ path, message }] = found.error.issues as [z.core.$ZodIssue];
      throw weightsConfig(beside, `pretrained_cfg.${path.join('.')}`, message);
    }
    const { input_size, crop_pct, ...rest } = found.data;
    const [, height, width] = input_size;
    return {
      imageSize: [height, width],
      cropFraction: crop_pct,
      interpolation: rest.interpolation,
      mean: rest.mean,
      std: rest.std,
    };
  }
  if (!Object.hasOwn(visionTransformers, name)) return bilinear;
  const weights = await openWeights(file);
  await weights.close();
  if ([...weights.arrays.keys()].some((array) => array.startsWith('encoder.layers.encoder_layer_'))) return bilinear;
  const { preNorm, layerScale } = formOf(weights.arrays);
  return preNorm ? clip : layerScale ? bicubic : augreg;
}

/** Where the preprocessing of a file of weights comes from: the `config.json` next to it, or the table of tailmix. */
export async function preprocessingSource(file: string): Promise<'config.json' | 'table'> {
  return (await configOf(besideOf(file))) === undefined ? 'table' : 'config.json';
}

const besideOf = (file: string): string => join(dirname(file), 'config.json');

/** timm's section of a `config.json`, if there is one. */
async function configOf(path: string): Promise<unknown> {
  if (!existsSync(path)) return undefined;
  try {
    const size = await sizeOfFile(path);
    if (size > LONGEST_DESCRIPTION) throw new Error(`it has ${size} bytes, and ${LONGEST_DESCRIPTION} are the most`);
    return parsed(path, await readFile(path, 'utf8'));
  } catch (error) {
    throw error instanceof TailmixError ? error : weightsConfig(path, 'the file', messageOf(error));
  }
}

/** timm's section of a `config.json`; undefined where it is another program's. */
function parsed(path: string, text: string): unknown {
  try {
    return (JSON.parse(text) as { pretrained_cfg?: unknown } | null)?.pretrained_cfg;
  } catch {
    throw weightsConfig(path, 'the file', 'expected JSON');
  }
}
