import { type DataIdentity, differingParts, expectSameData, identityOf } from '../data/identity.ts';
import type { Subset } from '../data/types.ts';
import { displayPath } from '../errors.ts';
import { noValidationSplit } from './errors.ts';
import type { TrainedRun } from './open.ts';

/** Images to evaluate a run on. */
export interface EvaluatedSplit {
  subset: Subset;
  /** Where they are not those of its training, which was allowed. */
  otherData?: { trained: DataIdentity; evaluated: DataIdentity };
}

/**
 * The images of a run's split, compared with those that it was trained and evaluated on.
 *
 * @param run - opened with `readImages`
 * @throws {TailmixError} EVALUATE_SPLIT, OTHER_DATA
 */
export function splitOf(
  { data, snapshot: { data: trained }, directory }: TrainedRun,
  split: 'test' | 'validation',
  allowOtherData = false,
): EvaluatedSplit {
  const subset = data[split];
  if (!subset) throw noValidationSplit(displayPath(directory));
  const evaluated = identityOf(data);
  const parts = ['dataset', 'classes', 'train', split] as const;
  if (trained && !allowOtherData) expectSameData(displayPath(directory), trained, evaluated, parts);
  const isOther = trained && differingParts(trained, evaluated, parts).length > 0;
  return { subset, ...(isOther && { otherData: { trained, evaluated } }) };
}
