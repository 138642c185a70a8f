import { registry } from '../../plugins/index.ts';
import type { Cell } from '../../src/sweep/cells.ts';
import { readSweep } from '../../src/sweep/read.ts';

/** Sweep file of a table of Chou et al. 2020. */
export const tableFile = (table: number): string => `configs/paper/table-${table}.yaml`;

/** Cells of a table, row by row. */
export const tableCells = async (table: number): Promise<Cell[]> =>
  (await readSweep([tableFile(table)], registry)).cells;

/** Cells of all tables, each once, by name; those of iNaturalist are files of their own. */
export async function allCells(): Promise<Cell[]> {
  const cells = (await Promise.all([1, 2, 3, 4, 5].map(tableCells))).flat();
  return [...new Map(cells.map((cell) => [cell.files.join(), cell])).values()];
}
