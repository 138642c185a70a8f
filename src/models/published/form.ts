import { existsSync } from 'node:fs';
import { openWeights } from '../../weights/index.ts';
import type { ModelSection } from '../options.ts';
import { type VisionTransformerForm, visionTransformers } from '../vit-forms.ts';
import { publishedOf } from './read.ts';
import { formOf } from './vit.ts';

/**
 * A model section with what its file of weights decides and the section leaves open: the form of a Vision Transformer. Without a
 * file nothing is decided; a run that goes on has its decisions in its config.
 *
 * @throws {TailmixError} what `openWeights` throws.
 */
export async function withForm<Section extends Partial<ModelSection>>(model: Section): Promise<Section> {
  const published = publishedOf(model);
  if (published === null || !Object.hasOwn(visionTransformers, published.name)) return model;
  const own = model as Section & Partial<VisionTransformerForm>;
  const isOpen = (['preNorm', 'layerScale', 'registers', 'classPosition'] as const).some(
    (key) => own[key] === undefined,
  );
  if (!isOpen || !existsSync(published.file)) return model;
  const file = await openWeights(published.file);
  await file.close();
  const decided = Object.entries(formOf(file.arrays)).filter(
    ([key]) => own[key as keyof VisionTransformerForm] === undefined,
  );
  return { ...model, ...Object.fromEntries(decided) };
}
