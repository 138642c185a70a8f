import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

/** Python reads YAML 1.1, where `1:30`, `on` and `0x1` are no texts: every text is quoted. */
export const yaml = (value: unknown): string =>
  stringify(value, { version: '1.1', defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 });

/** 32 hexadecimal digits that stand for a text: the same run exported again has the same id. */
export const idOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

const LONGEST_NAME = 255;

/**
 * Files of values by name: `/` is a folder, so that a name that is also the folder of another, or too long for a file
 * system, has none.
 *
 * @returns the names that can be kept, and of the others why they cannot.
 */
export function fileNames(names: readonly string[]): { kept: string[]; left: string[] } {
  const folders = new Set(names.flatMap((name) => name.split('/').map((_, i, parts) => parts.slice(0, i).join('/'))));
  const kept: string[] = [];
  const left: string[] = [];
  for (const name of names) {
    if (folders.has(name)) left.push(`${name} has no place in a file store: the name of another begins with ${name}/.`);
    else if (name.split('/').every((part) => Buffer.byteLength(part) <= LONGEST_NAME)) kept.push(name);
    else left.push(`${name.slice(0, 40)}… has no place in a file store: it is too long for the name of a file.`);
  }
  return { kept, left };
}

/** Number of the experiment of a name in a store: that which it has there, or the next. */
export async function experimentNumber(store: string, name: string): Promise<string> {
  const numbers = (await readdir(store)).filter((folder) => /^\d+$/.test(folder));
  for (const number of numbers) {
    const meta = await readFile(join(store, number, 'meta.yaml'), 'utf8').catch(() => '');
    if ((parse(meta) as { name?: unknown } | null)?.name === name) return number;
  }
  for (const number of numbers) if (await isUnfinished(join(store, number))) return number;
  return String(Math.max(0, ...numbers.map(Number)) + 1);
}

/** An experiment that a full disk left before its description and its first run. */
const isUnfinished = async (folder: string): Promise<boolean> =>
  (await readdir(folder).catch(() => ['unreadable'])).every((name) => name === 'tags');
