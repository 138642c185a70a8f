import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { TailmixError } from '../../errors.ts';
import { describeData } from '../load-data.ts';
import { type DataInput, dataOptions } from '../options.ts';
import { folderExists, holdsFolders, statOf } from '../sets/class-folders.ts';
import { HELD_OUT } from '../sets/held-out.ts';
import { isJunk } from '../sets/left-out.ts';
import type { DataPlan } from '../types.ts';

/** Images that a folder holds, as `data` of a config would have them. */
export interface Look {
  data: DataInput & { root: string };
  plan: DataPlan;
}

/** Fractions that are held out where a folder has no such images. */
const SHARE = 0.15;
const splits: readonly DataInput['split'][] = [
  { validation: SHARE, test: SHARE },
  { test: SHARE },
  { validation: SHARE },
  undefined,
];

/**
 * Finds the images of a folder: listed in a file, or in class folders, with splits or without. What has no validation or no
 * test images gets a split.
 *
 * @returns null for a folder that holds neither
 * @throws {TailmixError} for images that are there and cannot be used, with what to do
 */
export async function lookAt(folder: string): Promise<Look | null> {
  const root = unwrap(folder);
  for (const data of [...(await manifestsOf(root)), { name: 'image-folder', root } as const]) {
    const found = await firstFitting(data);
    if (found !== null) return found;
  }
  return null;
}

/** Codes of errors that say that there are no images of that kind. */
const ABSENT = new Set(['DATA_EMPTY', 'DATA_MISSING']);

async function firstFitting(data: Look['data']): Promise<Look | null> {
  let last: unknown;
  for (const split of splits) {
    const own = split === undefined ? data : { ...data, split };
    try {
      return { data: own, plan: await describeData(dataOptions.parse(own)) };
    } catch (error) {
      if (!(error instanceof TailmixError)) throw error;
      if (ABSENT.has(error.code)) return null;
      // The data set has that part of its own.
      if (error.code !== 'DATA_SPLIT') throw error;
      last = error;
    }
  }
  throw last;
}

/** Through folders that hold one folder and nothing else, as archives have them, down to the one with class folders. */
function unwrap(folder: string): string {
  const entries = readdirSync(folder).filter((name) => !isJunk(name));
  const [only] = entries;
  if (entries.length !== 1 || only === undefined || only === 'train') return folder;
  const inner = join(folder, only);
  return folderExists(inner) && holdsFolders(inner) && !(HELD_OUT as readonly string[]).includes(only)
    ? unwrap(inner)
    : folder;
}

const PATHS = ['path', 'file', 'filename', 'file_name', 'filepath', 'image', 'image_path', 'img'];
const LABELS = ['label', 'class', 'category', 'target', 'species'];
const SPLITS = ['split', 'set', 'subset'];

/** Files at the top of a folder whose columns say that they list images, and whose first image is there. */
async function manifestsOf(root: string): Promise<Look['data'][]> {
  const names = readdirSync(root).filter((name) => ['.csv', '.tsv', '.jsonl'].includes(extname(name).toLowerCase()));
  const found = await Promise.all(names.sort().map((name) => manifestOf(root, name)));
  return found.flatMap((one) => one ?? []);
}

async function manifestOf(root: string, file: string): Promise<Look['data'] | null> {
  const [header, row] = await firstRows(join(root, file));
  if (header === undefined || row === undefined) return null;
  const column = (known: readonly string[]): number => header.findIndex((name) => known.includes(name.toLowerCase()));
  const [path, label, split] = [column(PATHS), column(LABELS), column(SPLITS)];
  if (path < 0 || label < 0) return null;
  const first = row[path] ?? '';
  const folders = readdirSync(root).filter((name) => !isJunk(name) && folderExists(join(root, name)));
  const images = ['', ...folders].find((name) => statOf(join(root, name, first))?.isFile());
  if (images === undefined) return null;
  const columns = {
    path: header[path]!,
    label: header[label]!,
    ...(split >= 0 && { split: header[split]! }),
  };
  const options = { file, ...(images !== '' && { images }), columns };
  return { name: 'manifest', root: dirname(join(root, file)), options };
}

/** Names of the columns of a table and its first row; a quoted field that holds separators is not of the first column names. */
async function firstRows(path: string): Promise<[string[]?, string[]?]> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2 ** 16), 0, 2 ** 16, 0);
    const [first = '', second = ''] = buffer
      .toString('utf8', 0, bytesRead)
      .replace(/^\uFEFF/, '')
      .split(/\r?\n/);
    if (extname(path).toLowerCase() === '.jsonl') {
      const row = JSON.parse(first) as Record<string, unknown>;
      return [Object.keys(row), Object.values(row).map(String)];
    }
    const separator = extname(path).toLowerCase() === '.tsv' ? '\t' : ',';
    const fields = (text: string): string[] => text.split(separator).map((field) => field.replace(/^"(.*)"$/, '$1'));
    return second === '' ? [] : [fields(first), fields(second)];
  } catch {
    return [];
  } finally {
    await file.close();
  }
}
