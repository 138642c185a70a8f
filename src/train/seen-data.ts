import {
  type DataIdentity,
  differingParts,
  expectSameData,
  identityOf,
  type OtherData,
  warnUncompared,
} from '../data/identity.ts';
import type { LoadedData } from '../data/types.ts';
import { displayPath } from '../errors.ts';
import type { SnapshotData } from '../run.ts';
import type { TrainerOptions } from './prepare.ts';

/**
 * The data of a run; where it is resumed, they must be what it was trained on.
 *
 * @throws {TailmixError} OTHER_DATA
 */
export function seenData(
  { resume, allowOtherData, directory }: TrainerOptions,
  data: LoadedData,
  initialData: DataIdentity | undefined,
): SnapshotData {
  const identity = identityOf(data);
  const where = directory ? displayPath(directory) : 'resume';
  if (resume && !resume.data) warnUncompared(where);
  const { otherData = [], ...trained }: SnapshotData = resume?.data ?? identity;
  const isOther = differingParts(trained, identity).length > 0;
  if (isOther && !allowOtherData) expectSameData(where, trained, identity);
  const seen: OtherData[] = [...otherData];
  if (initialData) seen.push({ by: 'init', data: initialData });
  if (isOther) seen.push({ by: 'resume', data: trained });
  return { ...identity, ...(seen.length > 0 && { otherData: seen }) };
}
