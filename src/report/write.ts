import { join } from 'node:path';
import { makeFolder } from '#make-folder';
import { folderName } from '../tracking/run-directory.ts';
import { writeFileAtomic } from '../tracking/write-file.ts';
import type { Choice } from './choice.ts';
import type { Comparison } from './compare.ts';
import { perClassCsv, resultsCsv } from './csv.ts';
import { overviewDocument, resultsDocument } from './document.ts';
import { reportNotWritten } from './errors.ts';
import { latexTable } from './latex.ts';
import type { Overview } from './overview.ts';
import { renderOverview } from './page/overview.ts';
import { renderPage } from './page/page.ts';
import { pageFile } from './page-file.ts';
import type { PaperFigures } from './paper.ts';
import { loadPictures } from './pictures/shown.ts';
import { references } from './references.ts';
import { markdownTables, overviewMarkdown, paperMarkdown } from './table.ts';

/**
 * Writes the page (self-contained), `report.json`, `results.csv`, `per-class.csv`, `results.md`, `results.tex` and
 * `references.bib`.
 *
 * @param directory - Made where it is missing.
 * @param options.created - Default: now.
 * @param options.choice - Which method to use.
 * @param options.images - Whether pictures that runs have are in the page. Default: yes.
 * @param options.paper - What a paper reports for the same cells.
 * @param options.name - Of the sweep, for the title and the file of the page. Default of that: `index.html`.
 * @returns Path of the page.
 * @throws {TailmixError} REPORT_NOT_WRITTEN, WRITE_FAILED.
 */
export async function writeReport(
  comparison: Comparison,
  directory: string,
  {
    created = new Date(),
    choice = null,
    images = true,
    name,
    paper = null,
  }: {
    created?: Date;
    choice?: Choice | null;
    images?: boolean;
    name?: string | undefined;
    paper?: PaperFigures | null;
  } = {},
): Promise<string> {
  const { shown: pictures, notes } = images ? await loadPictures(comparison) : { shown: [], notes: [] };
  const noted = { ...comparison, warnings: [...comparison.warnings, ...notes] };
  const files = {
    [pageFile(name)]: await renderPage(noted, created, { choice, name, paper, pictures }),
    'report.json': `${JSON.stringify({ ...resultsDocument(comparison), ...(choice && { choice }), ...(paper && { paper }) }, null, indentOf(comparison))}\n`,
    'results.csv': resultsCsv(comparison),
    'per-class.csv': perClassCsv(comparison),
    'results.md': [markdownTables(comparison), ...(paper ? [paperMarkdown(paper, comparison.testCount)] : [])].join(
      '\n',
    ),
    'results.tex': latexTable(comparison),
    'references.bib': await references(comparison.methods),
  };
  return writeFiles(directory, files, pageFile(name));
}

/**
 * Writes a report of several data sets: the page, `results.md`, `report.json` and `references.bib`, and for each data
 * set a folder as {@link writeReport} writes it.
 *
 * @param options.title - Of the page; its file is named after it.
 * @param options.images - As for {@link writeReport}.
 * @param options.papers - Of each data set, as for {@link writeReport}.
 * @returns Path of the page.
 * @throws {TailmixError} REPORT_NOT_WRITTEN, WRITE_FAILED.
 */
export async function writeOverview(
  overview: Overview,
  directory: string,
  { title, images = true, papers = [] }: { title: string; images?: boolean; papers?: readonly (PaperFigures | null)[] },
): Promise<string> {
  const created = new Date();
  const folders = overview.dataSets.map(({ name }) => folderName(name));
  for (const [i, { comparison }] of overview.dataSets.entries()) {
    await writeReport(comparison, join(directory, folders[i]!), { created, images, paper: papers[i] ?? null });
  }
  const links = folders.map((folder) => `${encodeURIComponent(folder)}/index.html`);
  const files = {
    [pageFile(title)]: renderOverview(overview, title, links, created),
    'results.md': overviewMarkdown(overview, title),
    'report.json': `${JSON.stringify(overviewDocument(overview), null, 1)}\n`,
    'references.bib': await references(overview.dataSets.flatMap(({ comparison }) => comparison.methods)),
  };
  return writeFiles(directory, files, pageFile(title));
}

/** Lines of their own for all figures are for those who read them; of very many methods they would be most of the file. */
const indentOf = ({ methods }: Comparison): number => (methods.length > 60 ? 0 : 1);

async function writeFiles(directory: string, files: Readonly<Record<string, string>>, page: string): Promise<string> {
  await makeFolder(directory).catch((error) => {
    throw reportNotWritten(directory, error);
  });
  for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(directory, name), text);
  return join(directory, page);
}
