import { describeGroups } from '../metrics/groups.ts';
import type { Spread } from '../metrics/statistics.ts';
import { classColumns } from './class-bins.ts';
import type { Comparison } from './compare.ts';
import { capital, decimalsFor, percent } from './format.ts';
import { bestOfColumns, bestPrinted, figuresShown } from './table.ts';

const escapes: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  τ: '$\\tau$',
  κ: '$\\kappa$',
  λ: '$\\lambda$',
  α: '$\\alpha$',
  β: '$\\beta$',
  γ: '$\\gamma$',
  '±': '$\\pm$',
  '×': '$\\times$',
  '≥': '$\\geq$',
  '≤': '$\\leq$',
};

/** Text as LaTeX sets it. */
const latexText = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\~^τκλαβγ±×≥≤]|[#$%&_{}]/g, (character) => escapes[character] ?? `\\${character}`);

/**
 * `results.tex`: the headline table for a paper (package booktabs), last epoch in percent, mean ± sample standard deviation over
 * seeds, and where classes are few a second one of each class. Bold: best mean of its column as it is printed.
 */
export function latexTable(comparison: Comparison): string {
  const { methods, dataset, testCount, groups, classes, classCounts } = comparison;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison);
  const isBest = bestOfColumns(comparison, decimals);
  const several = methods.some(({ seeds }) => seeds.length > 1);
  const how = `last epoch, in percent${several ? '; mean ± sample standard deviation over seeds' : ''}.`;
  const bold = 'Bold: best of its column, which need not be significantly better.';
  const headline = booktabs('table', {
    caption: `${dataset}, ${testCount} test images: ${how} ${capital(describeGroups(groups))}. ${bold}`,
    head: [['Method', 'Seeds', ...shown.map(({ title }) => latexText(title))]],
    rows: methods.map((method) => [
      latexText(method.label),
      String(method.seeds.length),
      ...shown.map(({ key }) => spreadCell(method.figures[key], decimals, isBest(method, key))),
    ]),
  });
  const single = classColumns(classes, classCounts);
  const columns = single.map(({ members: [label] }) => methods.map((method) => method.perClass[label!] ?? null));
  const print = (spread: Spread | null): string | null => spread && percent(spread.mean, decimals);
  const best = columns.map((column) => bestPrinted(column.map(print)));
  const perClass = booktabs('table*', {
    caption: `${dataset}, accuracy of each class: ${how} ${bold}`,
    head: [
      ['Method', 'Seeds', ...single.map(({ label }) => latexText(label))],
      ['Training images', '', ...single.map(({ detail }) => detail)],
    ],
    rows: methods.map((method, m) => [
      latexText(method.label),
      String(method.seeds.length),
      ...columns.map((column, i) =>
        spreadCell(column[m]!, decimals, best[i] !== null && print(column[m]!) === best[i]),
      ),
    ]),
  });
  return `% \\usepackage{booktabs}\n${headline}${single.length === 0 ? '' : perClass}`;
}

function spreadCell(spread: Spread | null, decimals: number, isBest: boolean): string {
  if (!spread) return '--';
  const value = percent(spread.mean, decimals);
  const mean = isBest ? `\\textbf{${value}}` : value;
  return spread.sd === null ? mean : `${mean} {\\scriptsize$\\pm$\\,${percent(spread.sd, decimals)}}`;
}

interface TableParts {
  /** Plain text. */
  caption: string;
  /** LaTeX, as `rows`; the first column is set to the left. */
  head: readonly (readonly string[])[];
  rows: readonly (readonly string[])[];
}

function booktabs(environment: 'table' | 'table*', { caption, head, rows }: TableParts): string {
  const lines = (all: readonly (readonly string[])[]) => all.map((cells) => `    ${cells.join(' & ')} \\\\`).join('\n');
  return `\\begin{${environment}}
  \\centering
  \\caption{${latexText(caption)}}
  \\begin{tabular}{l${'r'.repeat(head[0]!.length - 1)}}
    \\toprule
${lines(head)}
    \\midrule
${lines(rows)}
    \\bottomrule
  \\end{tabular}
\\end{${environment}}
`;
}
