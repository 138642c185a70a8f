import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { displayValue, TailmixError } from '../errors.ts';
import type { Snapshot } from '../run.ts';
import { mapValues } from '../util/map-values.ts';
import { checkpointMetadata } from './checkpoint-metadata.ts';
import {
  allCheckpointsDamaged,
  damagedTensorFile,
  noCheckpoint,
  notACheckpoint,
  stateNotFinite,
  unreadableCheckpoint,
  writeFailed,
} from './errors.ts';
import { decodeSafetensors, encodeSafetensors, type SafeTensors } from './safetensors.ts';
import { makeInRun, writeFileAtomic } from './write-file.ts';

const FORMAT = 'tailmix-checkpoint-1';

/** Folder of a run's checkpoints. */
export const checkpointFolder = (runDirectory: string): string => join(runDirectory, 'checkpoints');

/** File of the checkpoint after an epoch: `checkpoints/epoch-0012.safetensors`. */
export const checkpointPath = (runDirectory: string, epoch: number): string =>
  join(checkpointFolder(runDirectory), `epoch-${String(epoch).padStart(4, '0')}.safetensors`);

/** File of the best epoch: `best-validation.safetensors`, or `best-on-test.safetensors`. */
export const bestCheckpointPath = (runDirectory: string, split: 'validation' | 'test'): string =>
  join(checkpointFolder(runDirectory), `best-${split === 'test' ? 'on-test' : split}.safetensors`);

/**
 * Writes a snapshot as a safetensors file: the state as F32 arrays; all else as metadata (text, plugin states and
 * history as JSON), with a SHA-256 over the whole. Atomic and durable; the folder is made where it is missing,
 * those above it are not.
 *
 * @throws {TailmixError} STATE_NOT_FINITE for a state that nothing could be resumed from, WRITE_FAILED; the file that was
 *   there is as it was.
 */
export async function writeCheckpoint(path: string, snapshot: Snapshot): Promise<void> {
  const bad = Object.entries(snapshot.state).find(([, { values }]) => !values.every(Number.isFinite));
  if (bad) throw stateNotFinite(path, snapshot.epoch, bad[0], bad[1].values);
  const metadata = {
    format: FORMAT,
    epoch: String(snapshot.epoch),
    step: String(snapshot.step),
    configHash: snapshot.configHash,
    weights: JSON.stringify(snapshot.weights),
    plugins: JSON.stringify(snapshot.plugins),
    history: JSON.stringify(snapshot.history),
    ...(snapshot.rollbacks && { rollbacks: JSON.stringify(snapshot.rollbacks) }),
    seconds: String(snapshot.seconds),
    ...(snapshot.data && { data: JSON.stringify(snapshot.data) }),
    ...(snapshot.tailmix && { tailmix: snapshot.tailmix }),
  };
  const sha256 = checksum({ tensors: snapshot.state, metadata });
  await makeInRun(dirname(path)).catch((cause) => {
    throw writeFailed(path, cause);
  });
  await writeFileAtomic(path, encodeSafetensors({ tensors: snapshot.state, metadata: { ...metadata, sha256 } }));
}

/**
 * Reads what {@link writeCheckpoint} wrote.
 *
 * @throws {TailmixError} CHECKPOINT_DAMAGED when the file is cut short or altered, CHECKPOINT_FOREIGN when it is none.
 */
export async function readCheckpoint(path: string): Promise<Snapshot> {
  const { tensors, metadata } = decodeSafetensors(await readWhole(path), path);
  const { sha256, ...described } = metadata;
  if (described.format !== FORMAT) throw notACheckpoint(path, `its format is ${described.format ?? 'not named'}`);
  if (sha256 !== checksum({ tensors, metadata: described })) throw damagedTensorFile(path, 'its checksum differs');
  const state = mapValues(tensors, ({ shape, values }) => ({ shape, values: Float32Array.from(values) }));
  const parsed = checkpointMetadata.safeParse(described);
  if (!parsed.success) {
    throw notACheckpoint(path, `its metadata is not that of one (${parsed.error.issues[0]!.path.join('.')})`);
  }
  const absent = parsed.data.weights.find((name) => !Object.hasOwn(state, name));
  if (absent !== undefined) throw notACheckpoint(path, `it has no values of its weight ${displayValue(absent)}`);
  return { ...parsed.data, state };
}

/** What {@link readLatest} found. */
export interface LatestCheckpoint {
  path: string;
  snapshot: Snapshot;
  /** Newer checkpoints that could not be read, to be reported. */
  damaged: readonly TailmixError[];
}

/**
 * The newest checkpoint of a run that can be read; damaged ones are passed over for the one before.
 *
 * @throws {TailmixError} CHECKPOINT_MISSING when there is none, and as {@link findLatest}.
 */
export async function readLatest(runDirectory: string): Promise<LatestCheckpoint> {
  const latest = await findLatest(runDirectory);
  if (latest === null) throw noCheckpoint(runDirectory);
  return latest;
}

/**
 * As {@link readLatest}, and null for a run that has no checkpoint.
 *
 * @throws {TailmixError} CHECKPOINT_DAMAGED when each is damaged, CHECKPOINT_UNREADABLE when the system refuses to read
 *   one: it may be whole.
 */
export async function findLatest(runDirectory: string): Promise<LatestCheckpoint | null> {
  const epochs = await checkpointEpochs(runDirectory);
  if (epochs.length === 0) return null;
  const damaged: TailmixError[] = [];
  for (const epoch of epochs.toReversed()) {
    const path = checkpointPath(runDirectory, epoch);
    try {
      return { path, snapshot: await readCheckpoint(path), damaged };
    } catch (error) {
      if (!(error instanceof TailmixError) || error.code === 'CHECKPOINT_UNREADABLE') throw error;
      damaged.push(error);
    }
  }
  throw allCheckpointsDamaged(runDirectory, damaged);
}

/** Epochs of which a run keeps a checkpoint, rising. */
export async function checkpointEpochs(runDirectory: string): Promise<number[]> {
  const folder = checkpointFolder(runDirectory);
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw unreadableCheckpoint(folder, error);
  });
  return files
    .flatMap((file) => /^epoch-(\d+)\.safetensors$/.exec(file)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

async function readWhole(path: string): Promise<Buffer> {
  try {
    const found = await stat(path);
    // A pipe or a device may have no end.
    if (!found.isFile() && !found.isDirectory()) throw new Error('it is no file');
    return await readFile(path);
  } catch (cause) {
    throw unreadableCheckpoint(path, cause);
  }
}

function checksum({ tensors, metadata }: SafeTensors): string {
  const hash = createHash('sha256').update(JSON.stringify(metadata));
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}
