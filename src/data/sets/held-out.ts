import { heldOutTwice } from '../errors.ts';

/** Names of splits that a run is not trained on. */
export const HELD_OUT = ['test', 'val', 'valid', 'validation'] as const;
type Name = (typeof HELD_OUT)[number];

/** What the splits that a data set has are for. */
export interface HeldOut {
  /** Null where there is none. */
  test: Name | null;
  validation: Name | null;
  /** What decided it, for a plan: nothing where there is `test` alone. */
  notes: string[];
}

/**
 * `test` is the test set, and one of the others the validation split; without `test` one of the others is the test set.
 *
 * @param where - what messages name: a folder, a file
 * @param isTestCut - whether test images are held out of the training images: then the others are for validation
 * @throws {TailmixError} DATA_SPLIT for several names of one thing.
 */
export function heldOut(where: string, has: (name: Name) => boolean, isTestCut = false): HeldOut {
  const [first, ...others] = HELD_OUT.filter(has);
  const named = first === 'test' ? others : [first, ...others].filter((name) => name !== undefined);
  if (named.length > 1) throw heldOutTwice(where, named);
  if (first === undefined) return { test: null, validation: null, notes: [] };
  if (first !== 'test' && isTestCut)
    return { test: null, validation: first, notes: [`"${first}" is the validation split`] };
  if (first !== 'test')
    return { test: first, validation: null, notes: [`"${first}" is the test set: there is no "test"`] };
  const [validation = null] = others;
  return {
    test: first,
    validation,
    notes: validation === null ? [] : [`"${validation}" is the validation split`],
  };
}
