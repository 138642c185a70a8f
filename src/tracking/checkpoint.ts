import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { type ZodError, z } from 'zod';
import { displayValue, TailmixError } from '../errors.ts';
import type { Snapshot, SnapshotBackbone } from '../run.ts';
import { mapValues } from '../util/map-values.ts';
import { without } from '../util/without.ts';
import { keepBackbone, withBackbone } from './backbone.ts';
import { checkpointMetadata, historyParts } from './checkpoint-metadata.ts';
import {
  allCheckpointsDamaged,
  damagedTensorFile,
  noCheckpoint,
  notACheckpoint,
  stateNotFinite,
  unreadableCheckpoint,
  writeFailed,
} from './errors.ts';
import { keepHistory, readHistory } from './history.ts';
import { decodeSafetensors, encodeSafetensors, type SafeTensors } from './safetensors.ts';
import { withArrays } from './weights-checksum.ts';
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
 * history as JSON), with a SHA-256 over the whole. Of a long history the earlier epochs go into files next to it.
 * Atomic and durable; the folder is made where it is missing, those above it are not. Weights of a backbone are left out, and its file is copied into the cache.
 *
 * @param options - `full`: writes all weights
 * @throws {TailmixError} STATE_NOT_FINITE for a state that nothing could be resumed from, WRITE_FAILED; the file that was
 *   there is as it was.
 */
export async function writeCheckpoint(
  path: string,
  snapshot: Snapshot,
  { full = false }: { full?: boolean } = {},
): Promise<void> {
  const bad = Object.entries(snapshot.state).find(([, { values }]) => !values.every(Number.isFinite));
  if (bad) throw stateNotFinite(path, snapshot.epoch, bad[0], bad[1].values);
  const backbone = full ? undefined : await backboneToName(path, snapshot);
  await makeInRun(dirname(path)).catch((cause) => {
    throw writeFailed(path, cause);
  });
  const { parts, own } = await keepHistory(dirname(path), snapshot.history);
  const tensors = without(snapshot.state, ...(backbone?.weights ?? [])) as Snapshot['state'];
  const metadata = {
    format: FORMAT,
    epoch: String(snapshot.epoch),
    step: String(snapshot.step),
    configHash: snapshot.configHash,
    weights: JSON.stringify(snapshot.weights),
    ...(backbone && { backbone: JSON.stringify(backbone) }),
    plugins: JSON.stringify(snapshot.plugins),
    ...(parts.length > 0 && { historyParts: JSON.stringify(parts) }),
    history: JSON.stringify(own),
    ...(snapshot.rollbacks && { rollbacks: JSON.stringify(snapshot.rollbacks) }),
    seconds: String(snapshot.seconds),
    ...(snapshot.data && { data: JSON.stringify(snapshot.data) }),
    ...(snapshot.tailmix && { tailmix: snapshot.tailmix }),
    ...(snapshot.computedBy && { computedBy: JSON.stringify(snapshot.computedBy) }),
  };
  const sha256 = checksum({ tensors, metadata });
  await writeFileAtomic(path, encodeSafetensors({ tensors, metadata: { ...metadata, sha256 } }));
}

/** The backbone whose weights a checkpoint leaves out; nothing where its file is gone. */
async function backboneToName(path: string, { backbone }: Snapshot): Promise<SnapshotBackbone | undefined> {
  if (backbone === undefined || (await keepBackbone(backbone))) return backbone;
  process.emitWarning(
    `${path}: ${backbone.path} is no longer the file that the run began with, so all weights are written. Put it back for smaller checkpoints.`,
    { type: 'TailmixWarning', code: 'BACKBONE_GONE' },
  );
  return undefined;
}

/**
 * Reads what {@link writeCheckpoint} wrote, with the weights of its backbone.
 *
 * @param options - `history`: false leaves out epochs that are in files next to it
 * @throws {TailmixError} CHECKPOINT_DAMAGED when the file is cut short or altered, CHECKPOINT_FOREIGN when it is none,
 *   CHECKPOINT_BACKBONE when the file of its backbone is not to be found.
 */
export async function readCheckpoint(path: string, { history = true }: { history?: boolean } = {}): Promise<Snapshot> {
  const { tensors, metadata } = decodeSafetensors(await readWhole(path), path);
  const { sha256, ...described } = metadata;
  if (described.format !== FORMAT) throw notACheckpoint(path, `its format is ${described.format ?? 'not named'}`);
  if (sha256 !== checksum({ tensors, metadata: described })) throw damagedTensorFile(path, 'its checksum differs');
  const state = mapValues(tensors, ({ shape, values }) => ({ shape, values: Float32Array.from(values) }));
  const foreign = ({ issues }: ZodError): TailmixError =>
    notACheckpoint(path, `its metadata is not that of one (${issues[0]!.path.join('.')})`);
  const named = z.object({ historyParts, history: z.string() }).safeParse(described);
  if (!named.success) throw foreign(named.error);
  const earlier = history ? await readHistory(path, named.data.historyParts) : [];
  const whole = [...earlier, named.data.history.slice(1)].join(',');
  const parsed = checkpointMetadata.safeParse({ ...described, history: `[${whole}` });
  if (!parsed.success) throw foreign(parsed.error);
  const elsewhere = new Set(parsed.data.backbone?.weights);
  const absent = parsed.data.weights.find((name) => !Object.hasOwn(state, name) && !elsewhere.has(name));
  if (absent !== undefined) throw notACheckpoint(path, `it has no values of its weight ${displayValue(absent)}`);
  return withBackbone(path, { ...parsed.data, state });
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
 *   one, CHECKPOINT_BACKBONE when the file of its backbone is not to be found: it may be whole.
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
      if (!(error instanceof TailmixError) || PASSING.has(error.code)) throw error;
      damaged.push(error);
    }
  }
  throw allCheckpointsDamaged(runDirectory, damaged);
}

/** What says nothing of the checkpoint itself. */
const PASSING: ReadonlySet<string> = new Set(['CHECKPOINT_UNREADABLE', 'CHECKPOINT_BACKBONE']);

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

const checksum = ({ tensors, metadata }: SafeTensors): string =>
  withArrays(createHash('sha256').update(JSON.stringify(metadata)), tensors, Object.keys(tensors)).digest('hex');
