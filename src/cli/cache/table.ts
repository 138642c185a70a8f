import { homedir } from 'node:os';
import { sep } from 'node:path';
import { fileSize } from '../../util/file-size.ts';
import { grouped } from '../../util/grouped.ts';
import type { CacheEntry } from './entries.ts';

/** Packed files that are shown; `--json` has all. */
const SHOWN = 40;

/** A path, with `~` for the user's home. */
export function shownPath(path: string): string {
  const home = homedir() + sep;
  return path.startsWith(home) ? `~/${path.slice(home.length)}` : path;
}

/** Entries as tables: packed files, then the rest. */
export function describeEntries(entries: readonly CacheEntry[]): string[] {
  const packs = entries.filter(({ kind }) => kind === 'packed');
  const rest = entries.filter(({ kind }) => kind !== 'packed');
  const more = packs.slice(SHOWN);
  return [
    ...table(
      [
        ['packed images', 'data set', 'images', 'size', 'last used', 'from'],
        ...packs.slice(0, SHOWN).map((entry) => [...packedCells(entry), notes(entry)]),
      ],
      new Set([2, 3]),
    ),
    ...(more.length > 0 ? [`and ${grouped(more.length)} more, ${fileSize(bytesIn(more))} (--json has all)`] : []),
    ...table(
      [
        ['other', 'what', 'size'],
        ...rest.map((entry) => [entry.name, entry.kind, fileSize(entry.bytes), notes(entry)]),
      ],
      new Set([2]),
    ),
  ];
}

function packedCells({ name, packed, bytes, lastUsed }: CacheEntry): string[] {
  return [
    name.replace(/\.pack$/, ''),
    packed?.dataset ?? '?',
    packed ? grouped(packed.images) : '?',
    fileSize(bytes),
    lastUsed?.toISOString().slice(0, 10) ?? '',
  ];
}

function notes({ kind, packed, users, isOutside }: CacheEntry): string {
  const from = packed ? `${shownPath(packed.folder)}${packed.exists ? '' : ' (gone)'}` : kind === 'packed' ? '?' : '';
  const said = [from, users.length > 0 ? 'in use' : '', isOutside ? 'outside of this folder' : ''];
  return said.filter((text) => text !== '').join(', ');
}

/** Columns as wide as their cells; nothing for a header alone. A last cell without a header is a remark. */
function table(rows: readonly string[][], rightAligned: ReadonlySet<number>): string[] {
  if (rows.length === 1) return [];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]): string =>
    row
      .map((cell, column) =>
        rightAligned.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return ['', ...rows.map(line)];
}

/** Bytes of all of them. */
export const bytesIn = (entries: readonly CacheEntry[]): number => entries.reduce((sum, { bytes }) => sum + bytes, 0);
