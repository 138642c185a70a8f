import { readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { displayPath, messageOf } from '../../errors.ts';
import type { ModelName } from '../../models/index.ts';
import { publishedNames } from '../../models/model-names.ts';
import { openModel } from '../../models/open.ts';
import { modelSection } from '../../models/options.ts';
import { nearestNetwork } from '../../models/published/nearest.ts';
import { describePublished } from '../../models/published/read.ts';
import { openWeights } from '../../weights/index.ts';
import { initWeights } from '../errors.ts';

/** Published weights that a config starts from. */
export interface Pretrained {
  model: ModelName;
  /** As `model.weights` of a config in the current folder has it. */
  file: string;
}

/** Endings of the files that are looked for; others are given by name. */
const ENDINGS = ['.safetensors', '.pth', '.pt'];

/** Side that tells whether a network fits; its classifier is another one in any case. */
const SIDE = 224;

/**
 * Weights to start from: those that are given, else the first file with those of a known network in the current folder, or in the one
 * that the images' folder lies in.
 *
 * @returns null where there is none; `remarks` on files that are not used.
 * @throws {TailmixError} INIT_WEIGHTS for a file that is given and cannot be used.
 */
export async function findWeights(
  images: string,
  given: string | undefined,
): Promise<{ pretrained: Pretrained | null; remarks: string[] }> {
  if (given !== undefined) {
    try {
      return { pretrained: await recognise(given), remarks: [] };
    } catch (error) {
      throw initWeights(given, error);
    }
  }
  const folders = [...new Set([resolve('.'), dirname(resolve(images))])];
  const files = (await Promise.all(folders.map(weightFilesIn))).flat();
  const remarks: string[] = [];
  let pretrained: Pretrained | null = null;
  for (const file of files) {
    const path = displayPath(file);
    if (pretrained !== null) {
      remarks.push(`not used: ${path}; --weights takes it`);
      continue;
    }
    try {
      pretrained = await recognise(file);
    } catch (error) {
      remarks.push(`not used: ${messageOf(error).split('\n')[0]}`);
    }
  }
  return { pretrained, remarks };
}

async function weightFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => ENDINGS.some((ending) => name.toLowerCase().endsWith(ending)))
    .sort()
    .map((name) => join(folder, name));
}

/** The network of a file, by the names of its arrays. */
async function recognise(path: string): Promise<Pretrained> {
  const file = resolve(path);
  const weights = await openWeights(file);
  const nearest = nearestNetwork(weights.arrays);
  await weights.close();
  const name = publishedNames.find((known) => known === nearest?.name) ?? publishedNames[0];
  const task = { classes: 1000, imageShape: [SIDE, SIDE, 3], mean: [0, 0, 0], std: [1, 1, 1] } as const;
  // Refuses what only resembles it, with what is missing.
  await describePublished({ name, file }, await openModel(modelSection.parse({ name, weights: file }), task));
  const own = relative('.', file).replaceAll('\\', '/');
  return { model: name, file: own.startsWith('.') ? own : `./${own}` };
}
