import { basename, dirname, extname, resolve } from 'node:path';
import type { Finding } from '../config/issues.ts';
import type { Origins } from '../config/layers.ts';
import type { Path } from '../config/tree.ts';
import { displayPath } from '../errors.ts';

/** A config of a sweep: what its runs share but for seed and settings. */
export interface Cell {
  /** Absolute paths of its config files; later ones win. */
  files: string[];
  /** `remix-cifar10-exp-100`: its files' names, as long as they must be to tell it from the other cells. */
  name: string;
  /** Where the sweep lists it. */
  path: Path;
}

type Item = string | readonly string[];

/** The configs of a sweep in order: those that it lists, then each method with each data set. */
export function cellsOf(
  {
    configs = [],
    methods = [],
    data = [],
  }: Partial<Record<'configs' | 'methods' | 'data', readonly Item[] | undefined>>,
  { directory }: Origins,
): Cell[] {
  const filesIn = (section: string, item: Item, i: number): string[] =>
    [item].flat().map((file) => resolve(directory([section, i]), file));
  const listed = configs.map((item, i) => ({ files: filesIn('configs', item, i), path: ['configs', i] }));
  const crossed = methods.flatMap((method, i) =>
    data.map((set, j) => ({
      files: [...filesIn('methods', method, i), ...filesIn('data', set, j)],
      path: ['methods', i],
    })),
  );
  const cells = [...listed, ...crossed];
  const names = shortNames(cells.map(({ files }) => files));
  return cells.map((cell, i) => ({ ...cell, name: names[i]! }));
}

/** Cells that are there twice, which would run in one directory. */
export function repeatedCells(cells: readonly Cell[]): Finding[] {
  const keys = cells.map(({ files }) => files.join('\n'));
  return cells
    .filter((_, i) => keys.indexOf(keys[i]!) < i)
    .map(({ path, files }) => ({
      path,
      message: `expected each config once; ${files.map(displayPath).join(' ')} is already listed.`,
    }));
}

function shortNames(cells: readonly (readonly string[])[]): string[] {
  const tail = (file: string, length: number): string =>
    [...dirname(file).split(/[\\/]/), basename(file, extname(file))].slice(-length).join('-');
  const namesOf = (length: number): string[] => cells.map((files) => files.map((file) => tail(file, length)).join('-'));
  let length = 1;
  while (new Set(namesOf(length)).size < cells.length && length < 20) length++;
  return namesOf(length);
}
