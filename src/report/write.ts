import { join } from 'node:path';
import { makeFolder } from '#make-folder';
import { writeFileAtomic } from '../tracking/write-file.ts';
import type { Choice } from './choice.ts';
import type { Comparison } from './compare.ts';
import { perClassCsv, resultsCsv } from './csv.ts';
import { resultsDocument } from './document.ts';
import { reportNotWritten } from './errors.ts';
import { latexTable } from './latex.ts';
import { renderPage } from './page/page.ts';
import { markdownTables } from './table.ts';

/**
 * Writes `index.html` (self-contained), `report.json`, `results.csv`, `per-class.csv`, `results.md` and `results.tex`.
 *
 * @param directory - Made where it is missing.
 * @param options.created - Default: now.
 * @param options.choice - Which method to use.
 * @returns Path of `index.html`.
 * @throws {TailmixError} REPORT_NOT_WRITTEN, WRITE_FAILED.
 */
export async function writeReport(
  comparison: Comparison,
  directory: string,
  { created = new Date(), choice = null }: { created?: Date; choice?: Choice | null } = {},
): Promise<string> {
  const files = {
    'index.html': await renderPage(comparison, created, choice),
    'report.json': `${JSON.stringify({ ...resultsDocument(comparison), ...(choice && { choice }) }, null, 1)}\n`,
    'results.csv': resultsCsv(comparison),
    'per-class.csv': perClassCsv(comparison),
    'results.md': markdownTables(comparison),
    'results.tex': latexTable(comparison),
  };
  await makeFolder(directory).catch((error) => {
    throw reportNotWritten(directory, error);
  });
  for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(directory, name), text);
  return join(directory, 'index.html');
}
