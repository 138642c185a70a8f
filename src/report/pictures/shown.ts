import type { Comparison } from '../compare.ts';
import { type Pictures, readPictures } from './file.ts';

/** Pictures of a method: those of its first run that has any. */
export interface ShownPictures extends Pictures {
  /** Place of the method in the comparison. */
  index: number;
  label: string;
  seed: number;
  /** Epochs of the run. */
  lastEpoch: number;
}

/** The pictures that runs have, and of those that cannot be shown why not. */
export async function loadPictures({ methods }: Comparison): Promise<{ shown: ShownPictures[]; notes: string[] }> {
  const shown: ShownPictures[] = [];
  const notes: string[] = [];
  for (const [index, { label, runs }] of methods.entries()) {
    for (const { path, summary } of runs) {
      const found = await readPictures(path);
      if (found === null) continue;
      const problem =
        typeof found === 'string'
          ? found
          : found.configHash === summary.configHash && found.subsetHash === summary.subsetHash
            ? null
            : 'its pictures are of another training: make them again with `tailmix pictures`';
      if (problem !== null) notes.push(`${path}: ${problem}`);
      else {
        const { seed, lastEpoch } = summary;
        shown.push({ ...(found as Pictures), index, label, seed, lastEpoch });
        break;
      }
    }
  }
  return { shown, notes };
}
