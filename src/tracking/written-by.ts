import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { displayPath, TailmixError } from '../errors.ts';
import { version } from '../version.ts';
import { runIsNewer, runOfOtherVersion } from './errors.ts';
import { runFiles } from './run-files.ts';

/** The version of tailmix that wrote a run, where it is not this one; null otherwise, and where the run does not say. */
export async function otherWriter(runDirectory: string): Promise<string | null> {
  const writer = await writerOf(runDirectory);
  return writer === version ? null : writer;
}

async function writerOf(runDirectory: string): Promise<string | null> {
  for (const file of [runFiles.subset, runFiles.summary]) {
    const text = await readFile(join(runDirectory, file), 'utf8').catch(() => '');
    const writer = /"tailmix":\s*"([^"]*)"/.exec(text)?.[1];
    if (writer !== undefined) return writer;
  }
  return null;
}

/**
 * Refuses a run that a later version of tailmix wrote; one of an earlier version, or that does not say, is read.
 *
 * @param own - the running version
 * @throws {TailmixError} RUN_NEWER
 */
export async function expectReadable(runDirectory: string, own = version): Promise<void> {
  const writer = await writerOf(runDirectory);
  if (writer !== null && isLater(writer, own)) throw runIsNewer(displayPath(runDirectory), writer, own);
}

/**
 * Reads what a run holds as it was written. Options that this version does not have, and files of another format, are
 * reported as another version's where one wrote the run.
 *
 * @throws {TailmixError} RUN_OTHER_VERSION, and what `read` throws.
 */
export async function readWritten<T>(runDirectory: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TailmixError) || !OF_VERSIONS.has(error.code)) throw error;
    throw (await otherVersion(runDirectory, error.message)) ?? error;
  }
}

/** The error for a run that this version does not read as it was written; null where this version wrote it. */
export async function otherVersion(runDirectory: string, reason: string): Promise<TailmixError | null> {
  const writer = await otherWriter(runDirectory);
  return writer === null ? null : runOfOtherVersion(displayPath(runDirectory), writer, version, reason);
}

const OF_VERSIONS: ReadonlySet<string> = new Set(['CONFIG_INVALID', 'CHECKPOINT_FOREIGN']);

/** By major and minor version: patches read each other's runs. */
function isLater(writer: string, own: string): boolean {
  const [a, b] = [writer, own].map((text) => text.split('.').map(Number));
  return a![0]! > b![0]! || (a![0] === b![0] && a![1]! > b![1]!);
}
