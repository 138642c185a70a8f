import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { makeFolder } from '#make-folder';
import type { EpochMetrics, RunSummary } from '../metrics/types.ts';
import { variableNames } from '../util/placeholders.ts';
import {
  changedRunFile,
  damagedRunFile,
  directoryTaken,
  directoryUsed,
  runNotBegun,
  runNotFound,
  unreadableRunFile,
  writeFailed,
} from './errors.ts';
import { type Ownership, own, ownerFile } from './ownership.ts';
import { runFiles } from './run-files.ts';
import { type FileSeal, isSealBroken } from './seal.ts';
import { SOURCES } from './sources.ts';

/**
 * Makes the directory of a new run: `<root>/<name>-<time>`, with a number behind it where that exists already.
 *
 * @param name - a placeholder is named after its variable; anything but letters, digits, `.`, `_` and `-` becomes `-`;
 *   150 characters at most
 * @param now - start of the run; written in UTC as `20250131-093000`
 * @returns the absolute path
 */
export async function createRunDirectory(root: string, name: string, now = new Date()): Promise<string> {
  await makeFolder(root);
  const stem = join(resolve(root), `${folderName(name)}-${timestamp(now)}`);
  for (let attempt = 1; ; attempt++) {
    const directory = attempt === 1 ? stem : `${stem}-${attempt}`;
    try {
      await mkdir(directory);
      return directory;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * A run's name as its directory has it: letters and signs of any script in their composed form, of ASCII only letters, digits, `_`,
 * `.` and `-`, and neither `-` nor `.` at the start.
 */
export function folderName(name: string): string {
  const plain = variableNames(name)
    .normalize('NFC')
    .replace(/(?:[^\w.\-\u{80}-\u{10ffff}]|[\p{C}\p{Z}])+/gu, '-')
    .replace(/^[-.]+/, '');
  // A character that is cut in two decodes to U+FFFD.
  const cut = Buffer.from(plain).subarray(0, LONGEST_NAME).toString('utf8');
  return cut.replace(/\ufffd$/, '') || 'run';
}

/**
 * Makes the directory a user asked for by name, and takes it.
 *
 * @throws {TailmixError} RUN_EXISTS when a run is in it already, DIRECTORY_OWNED.
 */
export async function claimRunDirectory(directory: string, options?: Parameters<typeof own>[1]): Promise<Ownership> {
  const ownership = await own(directory, options);
  const found = await marksOfRun(directory).catch(async (cause) => {
    await ownership.release();
    throw writeFailed(directory, cause);
  });
  if (found.length === 0) return ownership;
  await ownership.release();
  throw isRun(directory) ? directoryTaken(directory) : directoryUsed(directory, found);
}

/** Files and folders of which each shows that a folder was a run's. */
const MARKS: readonly string[] = [...Object.values(runFiles), 'checkpoints', 'mlflow', SOURCES];

/** What a folder holds of a run, with or without its config. */
export const marksOfRun = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter((name) => MARKS.includes(name));

/**
 * Moves a directory out of the way, with everything in it: to `<directory>.aside-1`, or the next number that is free.
 *
 * @returns where it is now
 * @throws {TailmixError} DIRECTORY_OWNED, WRITE_FAILED
 */
export async function setAside(directory: string, options?: Parameters<typeof own>[1]): Promise<string> {
  const ownership = await own(directory, { ...options, brief: true });
  try {
    for (let number = 1; ; number++) {
      const aside = `${ownership.directory}${ASIDE}${number}`;
      if (existsSync(aside)) continue;
      await rename(directory, aside).catch((cause) => {
        throw writeFailed(aside, cause);
      });
      await rm(ownerFile(aside), { force: true });
      return aside;
    }
  } finally {
    await ownership.release();
  }
}

const ASIDE = '.aside-';

/** Whether a folder was set aside: what looks for runs passes it over. */
export const isSetAside = (name: string): boolean => /\.aside-\d+$/.test(name);

/** Whether a directory holds a run. */
export const isRun = (directory: string): boolean => existsSync(join(directory, runFiles.config));

/** Whether a folder holds nothing but what a run has made when it is killed before it wrote its config. */
async function isBeforeConfig(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => ['unreadable']);
  return names.every((name) => name.includes(basename(ownerFile(directory))));
}

/** Directories of the runs below `root`, the newest first. */
export async function listRuns(root: string): Promise<string[]> {
  const names = (await readdir(root).catch(() => [])).filter((name) => !isSetAside(name));
  const runs = names.map((name) => join(resolve(root), name)).filter(isRun);
  const started = await Promise.all(runs.map(async (run) => (await stat(join(run, runFiles.config))).mtimeMs));
  return runs
    .map((run, i) => ({ run, time: started[i]! }))
    .sort((a, b) => b.time - a.time || (a.run < b.run ? 1 : -1))
    .map(({ run }) => run);
}

/**
 * Finds a run by its path, its directory's name below `root`, or its name without the time or as the config has it (the newest
 * of them).
 *
 * @returns the absolute path
 * @throws {TailmixError} RUN_MISSING, also where a run was killed before it wrote its config
 */
export async function findRun(wanted: string, root = 'runs'): Promise<string> {
  if (isRun(wanted)) return resolve(wanted);
  const runs = await listRuns(root);
  const found =
    runs.find((run) => basename(run) === wanted) ??
    [wanted, folderName(wanted)]
      .map((name) => runs.find((run) => withoutTime(basename(run).normalize('NFC')) === name))
      .find(Boolean);
  if (found) return found;
  if (await isBeforeConfig(wanted)) throw runNotBegun(wanted);
  throw runNotFound(
    wanted,
    root,
    runs.slice(0, 3).map((run) => basename(run)),
  );
}

/**
 * Lines of a run's `metrics.jsonl`, in order; a last line that a crash cut short is left out.
 *
 * @throws {TailmixError} RUN_DAMAGED when another line is no JSON, RUN_UNREADABLE when the system refuses.
 */
export async function readEpochs(runDirectory: string): Promise<EpochMetrics[]> {
  const path = join(runDirectory, runFiles.metrics);
  if (!existsSync(path)) return [];
  const lines = (await readText(path)).split('\n');
  // What stands behind the last newline is empty, or the line that was being written.
  return lines.slice(0, -1).map((line, i) => parse(line, path, `line ${i + 1}`) as EpochMetrics);
}

/**
 * A run's `summary.json`; null while it has none.
 *
 * @throws {TailmixError} RUN_DAMAGED, RUN_UNREADABLE
 */
export async function readSummary(runDirectory: string): Promise<RunSummary | null> {
  const path = join(runDirectory, runFiles.summary);
  if (!existsSync(path)) return null;
  const read = parse(await readText(path), path, 'the file');
  if (typeof read !== 'object' || read === null || Array.isArray(read)) throw damagedRunFile(path, 'the file');
  const found = read as RunSummary & { sha256?: string; files?: unknown };
  if (isSealBroken(found)) throw changedRunFile(path);
  const { sha256: _seal, files: _files, ...summary } = found;
  return summary;
}

/** What the other files of a run were when its summary was written, by name. */
export async function readSeals(runDirectory: string): Promise<Readonly<Record<string, FileSeal>>> {
  const path = join(runDirectory, runFiles.summary);
  const { files = {} } = parse(await readText(path), path, 'the file') as { files?: Record<string, FileSeal> };
  return files;
}

const readText = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause) => {
    throw unreadableRunFile(path, cause);
  });

function parse(text: string, path: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damagedRunFile(path, where);
  }
}

/** Bytes of a run's name in that of its directory; file systems take 255 bytes. */
const LONGEST_NAME = 150;

/** Name of a run's directory without its time, which means the newest of that name. */
export const withoutTime = (name: string): string => name.replace(TIMESTAMP, '');

const TIMESTAMP = /-\d{8}-\d{6}(-\d+)?$/;

const timestamp = (now: Date): string => now.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
