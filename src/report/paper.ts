import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { loadConfig } from '../config/load.ts';
import type { ConfigContext } from '../config/resolve.ts';
import type { Spread } from '../metrics/statistics.ts';
import { packageRoot } from '../package-root.ts';
import type { Comparison, MethodResult } from './compare.ts';
import { differingKeys, flattenConfig, type Settings } from './settings.ts';

/** What a paper reports for a method, beside what its runs here came to. */
export interface PaperFigure {
  method: string;
  /** Accuracy on the test set, 0…1: here of the last epoch, and in the paper. */
  ours: Spread;
  paper: number;
  table: number;
  /** Settings that differ, as those of the paper are in `configs/`: `train.epochs 200, not 300`. */
  differs: string[];
}

/** Figures of a paper for some of the methods. */
export interface PaperFigures {
  source: string;
  /** Runs that each figure of the paper is the mean of. */
  runs: number;
  figures: PaperFigure[];
}

const tablesFile = z.object({
  paper: z.string(),
  runs: z.int(),
  tables: z.array(
    z.object({
      table: z.int(),
      network: z.string(),
      columns: z.array(z.string()),
      rows: z.record(z.string(), z.array(z.number().nullable())),
    }),
  ),
});

const cellOf = z.object({
  data: z.object({ name: z.string(), profile: z.string(), ratio: z.number() }),
  model: z.object({ name: z.string() }),
});

const folder = join(packageRoot, 'configs');

/**
 * The Remix paper's own figures for methods that have a cell in its tables: by the method's name, data set, long tail and network. What else
 * differs from the paper's recipe, as `configs/` has it, is listed.
 *
 * @param context - plugins that the paper's configs name
 * @param observers - as for `compareRuns`
 * @returns null where no method has a cell
 */
export async function paperFigures(
  { methods }: Comparison,
  context: Pick<ConfigContext, 'registry' | 'defaults'>,
  observers: ReadonlySet<string>,
): Promise<PaperFigures | null> {
  const {
    paper: source,
    runs,
    tables,
  } = tablesFile.parse(JSON.parse(await readFile(join(folder, 'paper', 'remix-2020.json'), 'utf8')));
  const figures: PaperFigure[] = [];
  for (const method of methods) {
    const cell = findCell(method, tables);
    if (!cell) continue;
    const { resolved } = await loadConfig(cell.configs, context);
    figures.push({
      method: method.label,
      ours: method.figures.accuracy!,
      paper: cell.value / 100,
      table: cell.table,
      differs: differencesTo(flattenConfig(resolved, observers), method.settings),
    });
  }
  return figures.length === 0 ? null : { source, runs, figures };
}

/** The first cell of a method, and the files of its recipe and its data. */
function findCell({ runs: [run] }: MethodResult, tables: z.output<typeof tablesFile>['tables']) {
  const parsed = cellOf.safeParse(run!.config);
  if (!parsed.success) return null;
  const { data, model } = parsed.data;
  const place = `${data.name}-${data.profile}-${data.ratio}`;
  const { method } = run!.summary;
  for (const { table, network, columns, rows } of tables) {
    // A column's file ends with the network where the data set has another one too.
    const column = columns.findIndex((name) => name === place || name.startsWith(`${place}-resnet`));
    const value = Object.hasOwn(rows, method) ? rows[method]![column] : null;
    if (network !== model.name || typeof value !== 'number') continue;
    const recipe = join(folder, 'methods', 'remix-paper-300', `${method.toLowerCase()}.yaml`);
    return { table, value, configs: [recipe, join(folder, 'data', `${columns[column]}.yaml`)] };
  }
  return null;
}

/** Settings of no influence on what is trained: how often it is looked at, and how far it is kept. */
const LOOKING = /^(evaluate\.|train\.replicas$|data\.features$)/;

const differencesTo = (paper: Settings, ours: Settings): string[] =>
  differingKeys([paper, ours])
    .filter((key) => !LOOKING.test(key))
    .map((key) => `${key} ${ours.get(key) ?? 'not set'}, not ${paper.get(key) ?? 'set'}`);

/** What the figures are, and what they do not say. */
export const paperNote = ({ source, runs }: PaperFigures): string =>
  `Paper: ${source}; accuracy, mean of ${runs} runs, without deviations; of which epoch it does not say. Here it is that of the last epoch. Differences are those to the recipe in configs/methods/remix-paper-300, which also sets what the paper leaves open; images may be other files than the paper's (JPEG in the place of PNG or binary files), which a config does not tell.`;
