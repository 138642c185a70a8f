import type { ArrayInfo } from '../../weights/types.ts';
import { createModel, modelOptions } from '../index.ts';
import { publishedNames } from '../model-names.ts';
import { visionTransformers } from '../vit-forms.ts';
import type { Nearest } from './errors.ts';
import { dialects } from './families.ts';
import { type ArrayDifference, matchWeights } from './match.ts';
import { formOf } from './vit.ts';

/** Images that every network takes. */
const TASK = { classes: 1000, imageShape: [224, 224, 3] } as const;

/**
 * The known network whose names a file has most of; of several, the one whose usual shapes it has. Null where none shares a
 * tenth.
 */
export function nearestNetwork(arrays: ReadonlyMap<string, ArrayInfo>): Nearest | null {
  const found = publishedNames.map((name): Nearest & { score: number } => {
    const form = Object.hasOwn(visionTransformers, name) ? { ...formOf(arrays), activation: 'gelu' } : {};
    const model = createModel(modelOptions.parse({ name, ...form }), TASK);
    const { taken, differences } = matchWeights(model, dialects[name], arrays);
    const count = (isOne: (one: ArrayDifference) => boolean): number => differences.filter(isOne).length;
    // Of arrays, of which one may be several weights.
    const wanted = new Set(taken.map(({ published }) => published)).size;
    const shared = wanted - count(({ got }) => got === null);
    const all = wanted + count(({ expected }) => expected === null);
    const different = count(({ expected, got }) => expected !== null && got !== null);
    return { name, shared, all, score: (shared - different / 2) / all };
  });
  const [{ name, shared, all, score }] = found.toSorted((a, b) => b.score - a.score) as [Nearest & { score: number }];
  return score < 0.1 ? null : { name, shared, all };
}
