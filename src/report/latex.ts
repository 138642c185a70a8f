import { describeGroups } from '../metrics/groups.ts';
import type { Comparison, MethodResult } from './compare.ts';
import type { Figure } from './figures.ts';
import { capital, decimalsFor, percent } from './format.ts';
import { bestOfColumns, figuresShown } from './table.ts';

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
 * `results.tex`: the headline table for a paper (package booktabs), last epoch in percent, mean ± sample standard deviation over seeds.
 * Bold: best mean of its column as it is printed.
 */
export function latexTable(comparison: Comparison): string {
  const { methods, dataset, testCount, groups } = comparison;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison);
  const isBest = bestOfColumns(comparison, decimals);
  const cell = (method: MethodResult, { key }: Figure): string => {
    const spread = method.figures[key];
    if (!spread) return '--';
    const value = percent(spread.mean, decimals);
    const mean = isBest(method, key) ? `\\textbf{${value}}` : value;
    return spread.sd === null ? mean : `${mean} {\\scriptsize$\\pm$\\,${percent(spread.sd, decimals)}}`;
  };
  const row = (cells: readonly string[]): string => `    ${cells.join(' & ')} \\\\`;
  const several = methods.some(({ seeds }) => seeds.length > 1);
  const caption = `${dataset}, ${testCount} test images: last epoch, in percent${several ? '; mean ± sample standard deviation over seeds' : ''}. ${capital(describeGroups(groups))}. Bold: best of its column, which need not be significantly better.`;
  return `% \\usepackage{booktabs}
\\begin{table}
  \\centering
  \\caption{${latexText(caption)}}
  \\begin{tabular}{lr${'r'.repeat(shown.length)}}
    \\toprule
${row(['Method', 'Seeds', ...shown.map(({ title }) => latexText(title))])}
    \\midrule
${methods.map((method) => row([latexText(method.label), String(method.seeds.length), ...shown.map((figure) => cell(method, figure))])).join('\n')}
    \\bottomrule
  \\end{tabular}
\\end{table}
`;
}
