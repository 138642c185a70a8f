import { chooseMethod } from '../report/choice.ts';
import { type Comparison, compareRuns } from '../report/compare.ts';
import { type FigureKey, figures, snake } from '../report/figures.ts';
import { percent, withSpread } from '../report/format.ts';
import { loadRuns } from '../report/runs.ts';
import { markdownTable } from '../report/table.ts';
import type { Figures, Texts } from '../tracking/spool/write.ts';
import type { PlannedRun } from './expand.ts';

/** What the run that stands for a sweep says of it in MLflow. */
export interface SweepResults {
  /** `Remix/balanced_accuracy`, `Remix/balanced_accuracy_sd`: of each method the mean and sample standard deviation over its seeds. */
  figures: Figures;
  /** `tailmix.best_on_validation`, where there is a validation split, and a table of the methods as the run's description. */
  tags: Texts;
  /** Settings that differ between runs, with their values: `plugins.remix.kappa: 1.2, 3`. */
  params: Texts;
}

/** Tag with the method of highest balanced accuracy on validation. */
export const BEST_TAG = 'tailmix.best_on_validation';

/** Of a sweep without a run that is done. */
export const noResults: SweepResults = { figures: {}, tags: {}, params: {} };

/** Figures of a method, in the order of the description's columns. */
const SHOWN: readonly FigureKey[] = ['balancedAccuracy', 'accuracy', 'many', 'medium', 'few', 'worstClass'];

/** Of a percentage. */
const DECIMALS = 2;

/**
 * Sums up the runs of a sweep that are done, at their last epoch. Data sets are kept apart: where there are several, a method's name
 * begins with its data set's.
 */
export async function sweepResults(runs: readonly Pick<PlannedRun, 'directory' | 'set'>[]): Promise<SweepResults> {
  if (runs.length === 0) return noResults;
  const { runs: loaded } = await loadRuns(runs.map(({ directory }) => directory));
  const datasets = [...new Set(loaded.map(({ summary }) => summary.dataset))];
  const parts = datasets.map(
    (dataset): Part => ({
      before: datasets.length > 1 ? `${dataset} ` : '',
      comparison: compareRuns({ runs: loaded.filter(({ summary }) => summary.dataset === dataset), leftOut: [] }),
    }),
  );
  const best = parts.flatMap(bestOf);
  return {
    figures: Object.assign({}, ...parts.map(figuresOf)),
    tags: {
      ...(loaded.length > 0 && { 'mlflow.note.content': description(parts) }),
      ...(best.length > 0 && { [BEST_TAG]: best.join('; ') }),
    },
    params: {
      ...varying(new Set(loaded.map(({ summary }) => summary.method)), 'method'),
      ...settingsThatVary(runs),
    },
  };
}

/** The methods of one data set. */
interface Part {
  /** Of a method's name. */
  before: string;
  comparison: Comparison;
}

const figuresOf = ({ before, comparison }: Part): Figures =>
  Object.fromEntries(
    comparison.methods.flatMap(({ label, figures }) =>
      SHOWN.flatMap((key) => {
        const found = figures[key];
        if (found === null) return [];
        const name = `${before}${label.replaceAll('/', '-').replace(/[()]/g, '')}/${snake(key)}`;
        return [[name, found.mean] as const, ...(found.sd === null ? [] : [[`${name}_sd`, found.sd] as const])];
      }),
    ),
  );

function bestOf({ before, comparison }: Part): string[] {
  const choice = chooseMethod(comparison, comparison.methods[0]!.label);
  if (choice === null) return [];
  const [best] = choice.methods;
  const { validation, test } = best!;
  return [
    `${before}${choice.chosen}: balanced accuracy ${percent(validation.mean, DECIMALS)} % on validation, ${percent(test.mean, DECIMALS)} % on test at the same epochs (n = ${validation.n})`,
  ];
}

/** A table in Markdown: mean ± sample standard deviation over the seeds, in percent. */
function description(parts: readonly Part[]): string {
  const titles = SHOWN.map((key) => figures.find((figure) => figure.key === key)!.title);
  const rows = parts.flatMap(({ before, comparison }) =>
    comparison.methods.map(({ label, seeds, figures }) => {
      const cells = SHOWN.map((key) => withSpread(figures[key], DECIMALS));
      return [`${before}${label}`.replaceAll('|', '\\|'), String(seeds.length), ...cells];
    }),
  );
  return `Last epoch, mean ± standard deviation over the seeds, in percent.\n\n${markdownTable(['Method', 'n', ...titles], rows)}\n`;
}

function settingsThatVary(runs: readonly Pick<PlannedRun, 'set'>[]): Texts {
  const values = new Map<string, Set<string>>();
  for (const { set } of runs) {
    for (const setting of set) {
      const at = setting.indexOf('=');
      const path = setting.slice(0, at);
      values.set(path, (values.get(path) ?? new Set()).add(setting.slice(at + 1)));
    }
  }
  return Object.assign({}, ...[...values].map(([path, of]) => varying(of, path)));
}

const varying = (values: ReadonlySet<string>, name: string): Texts =>
  values.size > 1 ? { [name]: [...values].join(', ') } : {};
