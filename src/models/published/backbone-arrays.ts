import type { SnapshotBackbone } from '../../run.ts';
import { openModel } from '../open.ts';
import { modelSection } from '../options.ts';
import { publishedOf, readPublished } from './read.ts';

/**
 * Weights of a backbone by our names, from its file, whose checksum the caller has compared.
 *
 * @throws {TailmixError} what `openModel` and `readPublished` throw.
 * @throws {Error} Options that are those of no model.
 */
export async function backboneArrays(
  { model: options, weights, classes, imageShape }: SnapshotBackbone,
  file: string,
): Promise<Record<string, { shape: readonly number[]; values: Float32Array }>> {
  const section = modelSection.parse({ ...options, weights: { file } });
  const model = await openModel(section, { classes, imageShape, mean: [], std: [] });
  const wanted = new Set(weights);
  const values = await readPublished(publishedOf(section)!, model, (name) => wanted.has(name));
  return Object.fromEntries(
    model.weights.flatMap(({ name, shape }) => {
      const found = values[name];
      return found === undefined ? [] : [[name, { shape, values: found }]];
    }),
  );
}
