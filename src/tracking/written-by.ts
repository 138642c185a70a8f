import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { displayPath } from '../errors.ts';
import { version } from '../version.ts';
import { runIsNewer } from './errors.ts';
import { runFiles } from './run-directory.ts';

/**
 * Refuses a run that a later version of tailmix wrote; one of an earlier version, or that does not say, is read.
 *
 * @param own - the running version
 * @throws {TailmixError} RUN_NEWER
 */
export async function expectReadable(runDirectory: string, own = version): Promise<void> {
  const text = await readFile(join(runDirectory, runFiles.subset), 'utf8').catch(() => '');
  const writer = /"tailmix":\s*"([^"]*)"/.exec(text)?.[1];
  if (writer !== undefined && isLater(writer, own)) throw runIsNewer(displayPath(runDirectory), writer, own);
}

/** By major and minor version: patches read each other's runs. */
function isLater(writer: string, own: string): boolean {
  const [a, b] = [writer, own].map((text) => text.split('.').map(Number));
  return a![0]! > b![0]! || (a![0] === b![0] && a![1]! > b![1]!);
}
