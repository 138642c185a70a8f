import { displayPath } from '../../errors.ts';
import { sizeOf } from '../../util/shape.ts';
import { checksumWeights } from '../../weights/checksum.ts';
import { openWeights, type WeightsFile } from '../../weights/index.ts';
import { isPublished, type PublishedName } from '../model-names.ts';
import type { ModelSection } from '../options.ts';
import type { Model, WeightSpec } from '../types.ts';
import { weightsChanged, weightsInvalid, weightsMismatch } from './errors.ts';
import { dialects } from './families.ts';
import { type Match, matchWeights } from './match.ts';
import { nearestNetwork } from './nearest.ts';

/** A file of published weights, and its checksum where it is known. */
export interface PublishedWeights {
  name: PublishedName;
  file: string;
  sha256?: string | undefined;
}

/** The published weights that a model section names; null for none. */
export function publishedOf(model: Partial<ModelSection>): PublishedWeights | null {
  if (!('weights' in model) || model.weights === undefined || !isPublished(model.name!)) return null;
  const { weights, name } = model;
  return { name, ...(typeof weights === 'string' ? { file: weights } : weights) };
}

/**
 * How a file fits a model, as its header says.
 *
 * @throws {TailmixError} WEIGHTS_MISMATCH, and what `openWeights` throws.
 */
export const describePublished = (published: PublishedWeights, model: Model): Promise<Described> =>
  withFile(published, model, async (_, match) => describe(published, match));

/** Where weights begin, for a plan. */
export interface Described {
  /** The file, and what it has. */
  source: string;
  /** Whether the classifier is initialized anew. */
  isNewClassifier: boolean;
}

const describe = ({ file }: PublishedWeights, { dialect, taken, classifier }: Match): Described => ({
  source: `${displayPath(file)} (${new Set(taken.map((one) => one.published)).size} arrays, ${dialect.library}’s names${classifier === 'taken' ? '' : `; ${classifier}`})`,
  isNewClassifier: classifier !== 'taken',
});

/**
 * Weights of a file by our names and in our layout, but for those that are not wanted and a classifier that does not fit.
 * Takes the memory of what it returns, and one array more.
 *
 * @throws {TailmixError} WEIGHTS_CHANGED, WEIGHTS_INVALID, WEIGHTS_MISMATCH, and what `openWeights` throws.
 */
export async function readPublished(
  published: PublishedWeights,
  model: Model,
  isWanted: (weight: string) => boolean,
): Promise<Record<string, Float32Array>> {
  await checkPublished(published);
  return withFile(published, model, async (file, { taken }) => {
    const values: Record<string, Float32Array> = {};
    const wanted = taken.filter(({ spec }) => isWanted(spec.name));
    // Several weights may be parts of one array, which is read once.
    const names = new Set(wanted.map(({ published }) => published));
    const memory = new Float32Array(Math.max(0, ...[...names].map((name) => sizeOf(file.arrays.get(name)!.shape))));
    for (const name of names) {
      const parts = wanted.filter(({ published }) => published === name);
      const array = checked(await file.read(name, memory), parts[0]!.spec, name, file.path);
      for (const { spec, part } of parts) values[spec.name] = part.take(array, file.arrays.get(name)!.shape);
    }
    return values;
  });
}

/**
 * Whether a file is the one that its checksum is of.
 *
 * @throws {TailmixError} WEIGHTS_CHANGED, WEIGHTS_MISSING
 */
export async function checkPublished({ file, sha256 }: PublishedWeights): Promise<void> {
  if (sha256 === undefined) return;
  const found = await checksumWeights(file);
  if (found !== sha256) throw weightsChanged(file, sha256, found);
}

async function withFile<T>(
  { file: path, name }: PublishedWeights,
  model: Model,
  use: (file: WeightsFile, match: Match) => Promise<T>,
): Promise<T> {
  const file = await openWeights(path);
  try {
    const match = matchWeights(model, dialects[name], file.arrays);
    if (match.differences.length > 0) {
      const stem = match.dialect.nameOf(model.weights[0]!.name);
      throw weightsMismatch({ file: path, model: name, stem, nearest: nearestNetwork(file.arrays) }, match.differences);
    }
    return await use(file, match);
  } finally {
    await file.close();
  }
}

function checked(values: Float32Array, { name: own }: WeightSpec, name: string, path: string): Float32Array {
  const isVariance = own.endsWith('/variance');
  if (!isVariance && areFinite(values)) return values;
  const isFit = (value: number): boolean => Number.isFinite(value) && (!isVariance || value >= 0);
  const wrong = values.findIndex((value) => !isFit(value));
  if (wrong >= 0) {
    throw weightsInvalid(
      path,
      name,
      isVariance ? 'variances, finite and not negative' : 'finite numbers',
      values[wrong]!,
    );
  }
  return values;
}

/** Zero times a number that is not finite is NaN, which no sum loses: a tenth of the time of a test of each number. */
function areFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}
