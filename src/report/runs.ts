import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { parse } from 'yaml';
import type { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { Evaluation, RunSummary } from '../metrics/types.ts';
import { isSetAside } from '../tracking/run-directory.ts';
import { logitsFile, runFiles } from '../tracking/run-files.ts';
import { beginsAs, type FileSeal, isSealBroken } from '../tracking/seal.ts';
import { otherWriter } from '../tracking/written-by.ts';
import { version } from '../version.ts';
import { noPaths, reportPathIsFile, reportPathMissing, reportUnreadable } from './errors.ts';
import { type EpochPoint, epochPoint, sealedSummary } from './schema.ts';

/** A run directory that has results. */
export interface LoadedRun {
  /** Relative to the working directory where it lies inside, else absolute. */
  path: string;
  /** With `last` present. */
  summary: RunSummary & { last: Evaluation };
  /** In order; of an epoch written twice (a resumed run) the later line. */
  epochs: EpochPoint[];
  /** Parsed `config.yaml`; null when it is missing or damaged. */
  config: unknown;
  /** `config.yaml` as it stands. */
  configText: string | null;
  /** What is damaged without making the run useless. */
  notes: string[];
  /** When `summary.json` was written, in milliseconds. */
  writtenAt: number;
  /** The file with the logits of the last evaluation on the test set, as the run wrote it; null where none were kept. */
  logits: FileSeal | null;
}

/** A run directory that the report does not count, and why. */
export interface LeftOut {
  path: string;
  reason: string;
}

export interface LoadedRuns {
  runs: LoadedRun[];
  leftOut: LeftOut[];
}

/** One of them makes a folder a run directory; a `config.yaml` alone may be one to train from. */
const marks: readonly string[] = [runFiles.summary, runFiles.metrics, runFiles.plan, runFiles.subset];
const foldersDeep = 3;

/**
 * Reads run directories. A folder that is none itself is searched for them, three levels deep, in natural order of
 * their names. A run that is unfinished, failed or damaged is listed with the reason.
 *
 * @throws {TailmixError} REPORT_NO_PATHS, REPORT_PATH, REPORT_UNREADABLE: only for what was asked for by name.
 */
export async function loadRuns(paths: readonly string[]): Promise<LoadedRuns> {
  if (paths.length === 0) throw noPaths();
  const directories = new Map<string, string>();
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (!found) throw reportPathMissing(path);
    if (!found.isDirectory()) throw reportPathIsFile(path);
    for (const directory of await findRuns(resolve(path))) {
      const place = await realpath(directory);
      if (!directories.has(place)) directories.set(place, directory);
    }
  }
  const runs: LoadedRun[] = [];
  const leftOut: LeftOut[] = [];
  for (const directory of directories.values()) {
    const path = shownPath(directory);
    const result = await readRun(directory, path);
    if (typeof result === 'string') leftOut.push({ path, reason: result });
    else runs.push(result);
  }
  return { runs, leftOut };
}

/**
 * Run directories in a folder, or the folder itself where it is one.
 *
 * @param deep - levels of folders that are searched
 */
export async function findRuns(directory: string, deep = foldersDeep): Promise<string[]> {
  let entries: string[];
  try {
    entries = await readdir(directory);
  } catch (error) {
    throw reportUnreadable(shownPath(directory), error);
  }
  if (marks.some((file) => entries.includes(file))) return [directory];
  if (deep === 0) return [];
  const found: string[] = [];
  for (const name of entries.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    if (name.startsWith('.') || name === 'node_modules' || isSetAside(name)) continue;
    const path = join(directory, name);
    if ((await stat(path).catch(() => null))?.isDirectory()) found.push(...(await findRuns(path, deep - 1)));
  }
  return found;
}

function shownPath(directory: string): string {
  const path = relative(process.cwd(), directory);
  if (path === '') return '.';
  return path.startsWith('..') ? directory : path;
}

async function readRun(directory: string, path: string): Promise<LoadedRun | string> {
  const notes: string[] = [];
  const { text: metricsText, problem: unreadMetrics } = await readText(join(directory, runFiles.metrics));
  const { epochs, damaged } = readEpochs(metricsText);
  const { text: summaryText, problem: unreadSummary } = await readText(join(directory, runFiles.summary));
  if (unreadSummary !== null) return `summary.json cannot be read (${unreadSummary})`;
  if (summaryText === null) {
    const until = epochs.at(-1)?.epoch;
    return `unfinished: no summary.json, ${until ? `metrics.jsonl ends with epoch ${until}` : 'no finished epoch'}`;
  }
  const parsed = parseAs(sealedSummary, summaryText);
  if ('problem' in parsed) {
    const writer = parsed.isWhole ? await otherWriter(directory) : null;
    return writer === null
      ? `summary.json is damaged: ${parsed.problem}`
      : `tailmix ${writer} wrote it, and tailmix ${version} cannot read its summary.json: ${parsed.problem}`;
  }
  const { last, files = {}, ...rest } = parsed.value;
  if (rest.status === 'failed') return `failed: ${rest.reason ?? 'no reason given'}`;
  if (!last) return `${rest.status} without an evaluation on the test set`;

  const isChanged = (file: string, text: string | null): boolean =>
    text !== null && files[file] !== undefined && !beginsAs(text, files[file]);
  if (unreadMetrics !== null) notes.push(`metrics.jsonl cannot be read (${unreadMetrics}); the run has no curves`);
  else if (isChanged(runFiles.metrics, metricsText)) {
    notes.push('metrics.jsonl is not what the run wrote; the run has no curves');
    epochs.length = 0;
  } else if (damaged.length > 0)
    notes.push(`metrics.jsonl: line ${damaged.join(', ')} cannot be read; the curves do without`);
  else if (epochs.length === 0) notes.push('metrics.jsonl holds no epoch; the run has no curves');
  const { text: configText, problem: unreadConfig } = await readText(join(directory, runFiles.config));
  let config: unknown = null;
  try {
    if (unreadConfig !== null) notes.push(`config.yaml cannot be read (${unreadConfig}); the settings are unknown`);
    else if (configText === null) notes.push('config.yaml is missing; the settings are unknown');
    else if (isChanged(runFiles.config, configText))
      notes.push('config.yaml is not what the run wrote; the settings are unknown');
    else config = parse(configText);
  } catch (error) {
    notes.push(`config.yaml cannot be read (${firstLine(error)}); the settings are unknown`);
  }
  const { mtimeMs } = await stat(join(directory, runFiles.summary));
  const logits = files[logitsFile('test')] ?? null;
  return { path, summary: { ...rest, last }, epochs, config, configText, notes, writtenAt: mtimeMs, logits };
}

function readEpochs(text: string | null): { epochs: EpochPoint[]; damaged: number[] } {
  const byEpoch = new Map<number, EpochPoint>();
  const damaged: number[] = [];
  const lines = (text ?? '').split('\n');
  lines.forEach((line, i) => {
    if (line.trim() === '') return;
    const parsed = parseAs(epochPoint, line);
    if ('problem' in parsed) damaged.push(i + 1);
    else byEpoch.set(parsed.value.epoch, parsed.value);
  });
  return { epochs: [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch), damaged };
}

/** Text of a file, null where there is none; `problem` where the system does not give it. */
const readText = (path: string): Promise<{ text: string | null; problem: string | null }> =>
  readFile(path, 'utf8').then(
    (text) => ({ text, problem: null }),
    (error: NodeJS.ErrnoException) => ({ text: null, problem: error.code === 'ENOENT' ? null : error.message }),
  );

const firstLine = (error: unknown): string => messageOf(error).split('\n')[0]!;

/** A file's content; `isWhole` where it is what was written, and not what the schema says. */
function parseAs<T>(schema: z.ZodType<T>, text: string): { value: T } | { problem: string; isWhole: boolean } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { problem: `not JSON (${firstLine(error)})`, isWhole: false };
  }
  if (isSealBroken(json)) return { problem: 'its checksum differs', isWhole: false };
  const result = schema.safeParse(json);
  if (result.success) return { value: result.data };
  const issue = result.error.issues[0]!;
  return { problem: `${issue.path.join('.') || 'content'}: ${issue.message}`, isWhole: true };
}
