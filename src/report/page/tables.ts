import { createConfusion } from '../../metrics/confusion.ts';
import { describeGroups } from '../../metrics/groups.ts';
import type { Spread } from '../../metrics/statistics.ts';
import { grouped } from '../../util/grouped.ts';
import { binAccuracy } from '../charts/per-class.ts';
import { classBins } from '../class-bins.ts';
import type { Comparison, MethodResult } from '../compare.ts';
import type { Figure } from '../figures.ts';
import { decimalsFor, percent, type points, withSpread } from '../format.ts';
import { type Html, html } from '../html.ts';
import { bestOfColumns, figuresShown, protocolsShown, validationShown } from '../table.ts';
import { heads, swatch, table } from './parts.ts';

/** A method's name with its colour, as the head of a row. */
export const methodHead = (label: string, index: number): Html =>
  html`<th scope="row" class="${label.length <= 24 ? 'short' : 'long'}">${swatch(index)}${label}</th>`;

/** A figure with its spread, and below it a second line. */
export function cell(
  spread: Spread | null,
  decimals: number,
  { best = false, show = percent, below = null }: { best?: boolean; show?: typeof points; below?: string | null } = {},
): Html {
  if (!spread) return html`<td>–</td>`;
  const sd = spread.sd === null ? null : html` <small>± ${percent(spread.sd, decimals)}</small>`;
  const second = below === null ? null : html`<br><small>${below}</small>`;
  return html`<td class="${best ? 'best' : ''}">${show(spread.mean, decimals)}${sd}${second}</td>`;
}

/** The table everything else explains: last epoch, in percent. */
export function headlineTable(comparison: Comparison): Html {
  const { methods, testCount, groups } = comparison;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison);
  const isBest = bestOfColumns(comparison, decimals);
  const value = (method: MethodResult, { key }: Figure) =>
    cell(method.figures[key], decimals, { best: isBest(method, key) });
  const several = methods.some(({ seeds }) => seeds.length > 1);
  return html`${table(
    `Last epoch, in percent${several ? '; mean ± sample standard deviation over the seeds' : ''}.`,
    heads(['Method', 'Seeds', ...shown.map(({ title }) => title)]),
    methods.map(
      (method, i) =>
        html`<tr>${methodHead(method.label, i)}<td>${method.seeds.length}</td>${shown.map((figure) => value(method, figure))}</tr>`,
    ),
    { className: 'headline', label: 'Results of the last epoch' },
  )}<p class="note">Groups: ${describeGroups(groups)}. ${worstClassNote(methods)}ECE: expected calibration error, lower is better. Bold: best value of its column, which need not be significantly better${sampling(comparison)}.</p>`;
}

/** Which classes are the worst ones, where it can be said in a line. */
function worstClassNote(methods: readonly MethodResult[]): string {
  const byName = new Map<string, string[]>();
  for (const { label, worstClasses } of methods) {
    for (const name of worstClasses) byName.set(name, [...(byName.get(name) ?? []), label]);
  }
  if (byName.size > 4) return '';
  const parts = [...byName].map(([name, labels]) =>
    labels.length === methods.length ? name : `${name} (${labels.join(', ')})`,
  );
  return `Worst ${byName.size === 1 ? 'class' : 'classes'}: ${parts.join('; ')}. `;
}

/** How far the size of the test set alone moves an accuracy: 1.96 standard errors of a share. */
function sampling({ methods, testCount }: Comparison): string {
  const widest = Math.max(...methods.map(({ figures }) => figures.accuracy!.mean * (1 - figures.accuracy!.mean)));
  return `: the ${grouped(testCount)} test images alone leave ±${(196 * Math.sqrt(widest / testCount)).toFixed(1)} points of doubt (95 %)`;
}

/** Figures that other papers report, beside those of the last epoch. */
export function otherProtocols(comparison: Comparison): Html {
  const { methods, testCount } = comparison;
  const decimals = decimalsFor(testCount);
  const validated = validationShown(comparison);
  const pairs = ['Accuracy', 'Balanced'];
  const columns: { group: string; titles: string[]; of: (method: MethodResult) => (Spread | null | undefined)[] }[] = [
    { group: 'Last epoch', titles: pairs, of: ({ figures }) => [figures.accuracy, figures.balancedAccuracy] },
    ...(validated.length === 0
      ? []
      : [
          {
            group: 'Validation, balanced',
            titles: validated.map(({ short }) => short),
            of: ({ validation }: MethodResult) => validated.map(({ key }) => validation?.[key]),
          },
        ]),
    ...protocolsShown(comparison).map(({ group, key }) => ({
      group,
      titles: pairs,
      of: (method: MethodResult) => [method[key]?.accuracy, method[key]?.balancedAccuracy],
    })),
  ];
  const chosen = columns.some(({ group }) => group === 'Chosen on validation')
    ? ' Chosen on validation: the epoch of highest balanced accuracy on the validation split, told on test.'
    : '';
  return table(
    html`<strong>Best on test is optimistic</strong>: the epoch was chosen on the test set itself, separately for each run. It is shown only for comparison with papers that report it.${chosen} The last-five median is over the last five evaluated epochs.`,
    html`<tr><th rowspan="2" scope="col">Method</th>${columns.map(({ group, titles }) => html`<th colspan="${titles.length}" scope="colgroup">${group}</th>`)}</tr>
<tr>${columns.map(({ titles }) => titles.map((title) => html`<th scope="col">${title}</th>`))}</tr>`,
    methods.map(
      (method, i) =>
        html`<tr>${methodHead(method.label, i)}${columns.map(({ of }) => of(method).map((spread) => cell(spread ?? null, decimals)))}</tr>`,
    ),
    { label: 'Other protocols' },
  );
}

/** What the number of test images leaves open, for tables of single classes. */
const intervalsNote = (methods: readonly MethodResult[]): string =>
  methods.every(({ intervals }) => intervals === null)
    ? ''
    : ' In brackets: 95 % interval (Wilson) for as many test images as the class has; it says nothing of other seeds.';

const withInterval = ({ perClass, intervals }: MethodResult, label: number, decimals: number): Html => {
  const own = intervals?.[label];
  const range = own ? html` <small>(${percent(own[0])} to ${percent(own[1])})</small>` : null;
  return html`<td>${withSpread(perClass[label] ?? null, decimals)}${range}</td>`;
};

/** Accuracy per class, or per bin of classes, in figures. */
export function perClassTable({ classes, classCounts, methods, testCount }: Comparison): Html {
  const decimals = decimalsFor(testCount);
  const bins = classBins(classes, classCounts);
  const binned = bins.some(({ members }) => members.length > 1);
  return table(
    binned
      ? 'Mean test accuracy of the classes of a bin, in percent. Bins by number of training images: ranks from the largest class on.'
      : `Test accuracy per class, in percent, classes from head to tail.${intervalsNote(methods)}`,
    heads([binned ? 'Ranks' : 'Class', 'Training images', ...methods.map(({ label }) => label)]),
    bins.map(
      (bin) =>
        html`<tr><th scope="row">${bin.label}</th><td>${bin.detail}</td>${methods.map((method) => (binned ? html`<td>${withSpread(binAccuracy(method, bin), decimals)}</td>` : withInterval(method, bin.members[0]!, decimals)))}</tr>`,
    ),
    { label: 'Accuracy per class' },
  );
}

/** With many classes: the ones that all methods together do worst on. */
export function worstClassesTable({ classes, classCounts, methods }: Comparison, most = 20): Html | null {
  if (classes.length <= most) return null;
  const mean = classes.map((_, label) => {
    const tested = methods.flatMap(({ perClass }) => perClass[label] ?? []);
    return tested.length === 0 ? null : tested.reduce((sum, spread) => sum + spread.mean, 0) / tested.length;
  });
  const worst = classes
    .flatMap((_, label) => (mean[label] === null ? [] : [label]))
    .sort((a, b) => mean[a]! - mean[b]! || a - b)
    .slice(0, most);
  return table(
    `The ${worst.length} classes of the lowest accuracy, mean over the methods, in percent.${intervalsNote(methods)}`,
    heads(['Class', 'Training images', 'Mean', ...methods.map(({ label }) => label)]),
    worst.map(
      (label) =>
        html`<tr><th scope="row">${classes[label]!}</th><td>${grouped(classCounts[label]!)}</td><td>${percent(mean[label]!)}</td>${methods.map((method) => withInterval(method, label, 1))}</tr>`,
    ),
    { label: 'Worst classes' },
  );
}

/** With many classes: the classes that are taken for each other most often, all methods together. */
export function confusionsTable({ classes, methods }: Comparison, most = 20): Html | null {
  if (classes.length <= most) return null;
  const key = (label: number, predicted: number): number => label * classes.length + predicted;
  const all = createConfusion(classes.length);
  const own = methods.map(({ confusion }) => {
    for (const pair of confusion ?? []) all.add(...pair);
    return confusion && new Map(confusion.map(([label, predicted, images]) => [key(label, predicted), images]));
  });
  const pairs = all
    .result()
    .filter(([label, predicted]) => label !== predicted)
    .sort((a, b) => b[2] - a[2])
    .slice(0, most);
  if (pairs.length === 0) return null;
  return table(
    'Classes that are most often taken for another, in test images, all seeds together.',
    heads(['True class', 'Predicted class', ...methods.map(({ label }) => label)]),
    pairs.map(
      ([label, predicted]) =>
        html`<tr><th scope="row">${classes[label]!}</th><td class="text">${classes[predicted]!}</td>${own.map((counts) => html`<td>${counts ? grouped(counts.get(key(label, predicted)) ?? 0) : '–'}</td>`)}</tr>`,
    ),
    { label: 'Most frequent confusions' },
  );
}
