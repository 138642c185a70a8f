import { existsSync, statSync } from 'node:fs';
import process from 'node:process';
import { displayPath, TailmixError } from '../errors.ts';
import { initChanged, initMissing } from '../models/errors.ts';
import type { ModelSection } from '../models/options.ts';
import type { Snapshot } from '../run.ts';
import { readCheckpoint, readLatest } from './checkpoint.ts';
import { findRun } from './run-directory.ts';
import { checksumOf } from './weights-checksum.ts';

/** `model.init` as it is logged: a checkpoint file and the checksum of the weights in it. */
export interface PinnedInit {
  run: string;
  sha256: string;
}

type Init = NonNullable<ModelSection['init']>;

/** The run, name or file that `model.init` names, and the checksum that it has already. */
export const runOfInit = (init: Init): { run: string; sha256?: string | undefined } =>
  typeof init === 'string' ? { run: init } : init;

/**
 * Names the checkpoint that `model.init` means now, so that a later run of that name changes nothing. What has its
 * checksum already is not read.
 *
 * @param init - a run directory, the name of a run (the newest), or a checkpoint file.
 * @param option - that names it, for messages. Default: `model.init`.
 * @throws {TailmixError} INIT_MISSING, CHECKPOINT_DAMAGED, CHECKPOINT_FOREIGN.
 */
export async function pinInit(init: Init, option?: string): Promise<PinnedInit> {
  const { run, sha256 } = runOfInit(init);
  if (sha256 !== undefined) return { run, sha256 };
  const { path, snapshot } = await readSource(run, option);
  return { run: displayPath(path), sha256: checksumOf(snapshot.state, snapshot.weights) };
}

/**
 * The snapshot that `model.init` names.
 *
 * @throws {TailmixError} as {@link pinInit}; INIT_CHANGED when its checksum is another.
 */
export async function readInit(init: Init, option?: string): Promise<Snapshot> {
  const { run, sha256 } = runOfInit(init);
  const { snapshot } = await readSource(run, option);
  const found = checksumOf(snapshot.state, snapshot.weights);
  if (sha256 !== undefined && sha256 !== found) throw initChanged(run, sha256, found, option);
  return snapshot;
}

async function readSource(run: string, option = 'model.init'): Promise<{ path: string; snapshot: Snapshot }> {
  if (existsSync(run) && statSync(run).isFile())
    return { path: run, snapshot: await readCheckpoint(run, { history: false }) };
  try {
    const { path, snapshot, damaged } = await readLatest(await findRun(run));
    for (const { message } of damaged)
      process.emitWarning(`${option}: ${message}\n  ${displayPath(path)} is used.`, {
        type: 'TailmixWarning',
        code: 'CHECKPOINT_PASSED_OVER',
      });
    return { path, snapshot };
  } catch (error) {
    throw error instanceof TailmixError && error.code.endsWith('_MISSING') ? initMissing(error.message, option) : error;
  }
}
