import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import {
  bestCheckpointPath,
  checkpointEpochs,
  checkpointPath,
  type LatestCheckpoint,
  readCheckpoint,
  readLatest,
} from './checkpoint.ts';
import { checkpointNotFound, newestIsDamaged } from './errors.ts';

/** Which checkpoint of a run is meant. */
export interface CheckpointChoice {
  /** `last`, `best`, the number of an epoch, or a file. Default: `last`, or the one before where that is damaged. */
  checkpoint?: string | undefined;
  /** Refuse an older one in the place of one that is damaged. */
  strict?: boolean | undefined;
}

/**
 * Reads the checkpoint of a run that is asked for.
 *
 * @throws {TailmixError} CHECKPOINT_NOT_FOUND, CHECKPOINT_DAMAGED, and as {@link readLatest}.
 */
export async function chooseCheckpoint(
  runDirectory: string,
  { checkpoint: wanted = 'last', strict = false }: CheckpointChoice = {},
): Promise<LatestCheckpoint> {
  if (wanted === 'last') {
    const latest = await readLatest(runDirectory);
    if (strict && latest.damaged.length > 0) throw newestIsDamaged(runDirectory, latest.damaged);
    return latest;
  }
  const path = await pathOf(runDirectory, wanted);
  return { path, snapshot: await readCheckpoint(path), damaged: [] };
}

async function pathOf(runDirectory: string, wanted: string): Promise<string> {
  const best = [bestCheckpointPath(runDirectory, 'validation'), bestCheckpointPath(runDirectory, 'test')];
  if (wanted === 'best') {
    const found = best.find((path) => existsSync(path));
    if (found !== undefined) return found;
  } else if (/^\d+$/.test(wanted)) {
    const path = checkpointPath(runDirectory, Number(wanted));
    if (existsSync(path)) return path;
  } else if (existsSync(wanted)) return wanted;
  const found = best.filter((path) => existsSync(path)).map((path) => basename(path));
  throw checkpointNotFound(runDirectory, wanted, [...(await checkpointEpochs(runDirectory)).map(String), ...found]);
}
