import { expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { perClassCsv } from '../../src/report/csv.ts';
import { latexTable } from '../../src/report/latex.ts';
import { madeUpRun } from './in-memory-runs.ts';

const comparison = compareRuns({
  runs: [1, 2].flatMap((seed) => [
    madeUpRun('ERM', seed, [10, 7, seed]),
    madeUpRun('Remix_50% τ', seed, [8, 9, 5 + seed]),
  ]),
  leftOut: [],
});

test('results.tex', () => {
  expect(latexTable(comparison)).toMatchInlineSnapshot(`
    "% \\usepackage{booktabs}
    \\begin{table}
      \\centering
      \\caption{toy, 30 test images: last epoch, in percent; mean $\\pm$ sample standard deviation over seeds. Many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20. Bold: best of its column, which need not be significantly better.}
      \\begin{tabular}{lrrrrrrrrr}
        \\toprule
        Method & Seeds & Accuracy & Balanced & Many & Medium & Few & Worst class & Macro-F1 & ECE \\\\
        \\midrule
        ERM & 2 & 61.7 {\\scriptsize$\\pm$\\,2.4} & 61.7 {\\scriptsize$\\pm$\\,2.4} & \\textbf{100.0} {\\scriptsize$\\pm$\\,0.0} & 70.0 {\\scriptsize$\\pm$\\,0.0} & 15.0 {\\scriptsize$\\pm$\\,7.1} & 15.0 {\\scriptsize$\\pm$\\,7.1} & 57.2 {\\scriptsize$\\pm$\\,4.0} & \\textbf{4.1} {\\scriptsize$\\pm$\\,2.4} \\\\
        Remix\\_50\\% $\\tau$ & 2 & \\textbf{78.3} {\\scriptsize$\\pm$\\,2.4} & \\textbf{78.3} {\\scriptsize$\\pm$\\,2.4} & 80.0 {\\scriptsize$\\pm$\\,0.0} & \\textbf{90.0} {\\scriptsize$\\pm$\\,0.0} & \\textbf{65.0} {\\scriptsize$\\pm$\\,7.1} & \\textbf{65.0} {\\scriptsize$\\pm$\\,7.1} & \\textbf{78.5} {\\scriptsize$\\pm$\\,2.5} & 20.7 {\\scriptsize$\\pm$\\,2.4} \\\\
        \\bottomrule
      \\end{tabular}
    \\end{table}
    \\begin{table*}
      \\centering
      \\caption{toy, accuracy of each class: last epoch, in percent; mean $\\pm$ sample standard deviation over seeds. Bold: best of its column, which need not be significantly better.}
      \\begin{tabular}{lrrrr}
        \\toprule
        Method & Seeds & head & middle & tail \\\\
        Training images &  & 200 & 50 & 5 \\\\
        \\midrule
        ERM & 2 & \\textbf{100.0} {\\scriptsize$\\pm$\\,0.0} & 70.0 {\\scriptsize$\\pm$\\,0.0} & 15.0 {\\scriptsize$\\pm$\\,7.1} \\\\
        Remix\\_50\\% $\\tau$ & 2 & 80.0 {\\scriptsize$\\pm$\\,0.0} & \\textbf{90.0} {\\scriptsize$\\pm$\\,0.0} & \\textbf{65.0} {\\scriptsize$\\pm$\\,7.1} \\\\
        \\bottomrule
      \\end{tabular}
    \\end{table*}
    "
  `);
});

test('a class without a test image has no figure, and is best of nothing', () => {
  const [erm, remix] = comparison.methods;
  const empty = { ...comparison, methods: [{ ...erm!, perClass: [null, ...erm!.perClass.slice(1)] }, remix!] };
  const rows = latexTable(empty).split('table*')[1]!;
  expect(rows).toMatch(/ERM & 2 & -- & 70\.0 /);
  expect(rows).toMatch(/\$ & 2 & 80\.0 /);
});

test('a name cannot leave its cell', () => {
  const hostile = compareRuns({ runs: [madeUpRun('\\end{table} & $x$ {~^\n#', 1, [9, 5, 1])], leftOut: [] });
  expect(latexTable(hostile)).toContain(
    '    \\textbackslash{}end\\{table\\} \\& \\$x\\$ \\{\\textasciitilde{}\\textasciicircum{} \\# & 1 & ',
  );
});

test('per-class.csv', () => {
  const [head, ...rows] = perClassCsv(comparison).trim().split('\r\n');
  expect(head).toBe(
    'method,class,label,training_images,seeds,accuracy,accuracy_sd,difference,difference_sd,test_images,accuracy_low,accuracy_high',
  );
  expect(rows).toHaveLength(6);
  expect(rows[2]!.split(',').slice(0, 6)).toEqual(['ERM', 'tail', '2', '5', '2', '0.15000000000000002']);
  const [accuracy, sd, difference] = rows[5]!.split(',').slice(5).map(Number);
  expect([accuracy, sd, difference]).toEqual([0.65, 0.1 / Math.SQRT2, 0.5].map((value) => expect.closeTo(value, 12)));
});
