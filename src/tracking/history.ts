import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { EpochMetrics } from '../metrics/types.ts';
import { historyMissing } from './errors.ts';
import { runFiles } from './run-files.ts';
import { type FileSeal, sealOf } from './seal.ts';
import { writeFileAtomic } from './write-file.ts';

/**
 * Most bytes of epochs that a checkpoint holds itself. With all of them in each, bytes written would grow with the square of
 * the epochs.
 */
export const HISTORY_BYTES = 2 ** 18;

/** Epochs in a file of their own, which checkpoints name by its content. */
interface Part extends FileSeal {
  /** Epochs up to its end. */
  end: number;
  last: EpochMetrics;
}

/** By the first epoch of a history: what was cut from it, so that no checkpoint goes through all epochs again. */
const known = new WeakMap<EpochMetrics, readonly Part[]>();

/** Files that this process has written or read through. */
const verified = new Set<string>();

const partFile = ({ sha256 }: FileSeal): string => `history-${sha256.slice(0, 16)}.jsonl`;

const linesOf = (epochs: readonly EpochMetrics[]): string =>
  epochs.map((metrics) => `${JSON.stringify(metrics)}\n`).join('');

/**
 * Writes epochs that are too many for a checkpoint into files next to it, of {@link HISTORY_BYTES} each, in the form of
 * `metrics.jsonl`. They are written once and never changed.
 *
 * @param folder - of the checkpoint
 * @returns what the checkpoint names, in order, and the epochs that it holds itself: always the last
 * @throws {TailmixError} WRITE_FAILED
 */
export async function keepHistory(
  folder: string,
  history: readonly EpochMetrics[],
): Promise<{ parts: FileSeal[]; own: readonly EpochMetrics[] }> {
  const [first] = history;
  const parts = first ? partsOf(history, first) : [];
  let begin = 0;
  for (const part of parts) {
    const path = join(folder, partFile(part));
    if (!existsSync(path) || !(verified.has(path) || (await wholePart(path, part))))
      await writeFileAtomic(path, linesOf(history.slice(begin, part.end)));
    verified.add(path);
    begin = part.end;
  }
  return { parts: parts.map(({ bytes, sha256 }) => ({ bytes, sha256 })), own: history.slice(begin) };
}

function partsOf(history: readonly EpochMetrics[], first: EpochMetrics): readonly Part[] {
  const before = known.get(first) ?? [];
  const changed = before.findIndex(({ end, last }) => end >= history.length || history[end - 1] !== last);
  const parts = changed < 0 ? [...before] : before.slice(0, changed);
  let lines: string[] = [];
  let length = 0;
  for (let end = (parts.at(-1)?.end ?? 0) + 1; end < history.length; end++) {
    const last = history[end - 1]!;
    const line = linesOf([last]);
    lines.push(line);
    length += line.length;
    if (length < HISTORY_BYTES) continue;
    parts.push({ ...sealOf(lines.join('')), end, last });
    [lines, length] = [[], 0];
  }
  known.set(first, parts);
  return parts;
}

const isWhole = (text: string, { sha256 }: FileSeal): boolean => sealOf(text).sha256 === sha256;

/** Text of a part; null for a file that is missing or another. */
const wholePart = async (path: string, part: FileSeal): Promise<string | null> => {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text !== null && isWhole(text, part) ? text : null;
};

/**
 * Lines of the epochs that a checkpoint names, from their files; in place of one that is missing or changed, from the run's
 * `metrics.jsonl`.
 *
 * @throws {TailmixError} CHECKPOINT_DAMAGED where neither has them.
 */
export async function readHistory(checkpoint: string, parts: readonly FileSeal[]): Promise<string[]> {
  const folder = dirname(checkpoint);
  const lines: string[] = [];
  let recorded: Buffer | null = null;
  let at = 0;
  for (const part of parts) {
    let text = await wholePart(join(folder, partFile(part)), part);
    if (text === null) {
      recorded ??= await readFile(join(dirname(folder), runFiles.metrics)).catch(() => Buffer.alloc(0));
      const found = recorded.subarray(at, at + part.bytes).toString('utf8');
      if (!isWhole(found, part)) throw historyMissing(checkpoint, join(basename(folder), partFile(part)));
      text = found;
    }
    lines.push(...text.split('\n').filter((line) => line !== ''));
    at += part.bytes;
  }
  return lines;
}
