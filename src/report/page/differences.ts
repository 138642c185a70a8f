import type { Comparison, Difference, MethodResult } from '../compare.ts';
import type { Figure } from '../figures.ts';
import { decimalsFor, interval, points, pValue } from '../format.ts';
import { type Html, html } from '../html.ts';
import { unpairedSeeds } from '../methods.ts';
import { figuresShown, testsInWords } from '../table.ts';
import { details, heads, table } from './parts.ts';
import { cell, methodHead } from './tables.ts';

/** Differences to the baseline, seed by seed. */
export function differenceTable(comparison: Comparison): Html | null {
  const { methods, testCount } = comparison;
  const [baseline, ...others] = methods;
  const paired = others.filter(({ difference }) => difference);
  if (!baseline || paired.length === 0) return null;
  const decimals = decimalsFor(testCount);
  const shown = figuresShown(comparison).filter(({ key }) => key !== 'top5');
  const tested = paired.some(({ difference }) => difference!.balanced.interval);
  const overImages = paired.some(({ difference }) => difference!.overImages);
  const figureCell = ({ figures, balanced }: Difference, key: Figure['key']): Html =>
    cell(figures[key], decimals, {
      show: points,
      below: key === 'balancedAccuracy' && balanced.interval ? interval(balanced.interval, decimals) : null,
    });
  return html`${table(
    html`Difference to <strong>${baseline.label}</strong> in percentage points, each run against that of the same seed and the same images, by their hashes (so with the same batches and draws)${paired.some(({ difference }) => difference!.seeds.length > 1) ? '; mean ± standard deviation of the differences' : ''}. Wins: seeds of higher balanced accuracy. Of ECE less is better.`,
    heads([
      'Method',
      'Wins',
      ...(tested ? ['p'] : []),
      ...(overImages ? ['Over images'] : []),
      ...shown.map(({ title }) => title),
    ]),
    others.map((method, i) => {
      const { label, difference } = method;
      return difference
        ? html`<tr>${methodHead(label, i + 1)}<td>${difference.wins} of ${difference.seeds.length}</td>${tested ? html`<td>${difference.correctedP === null ? '–' : pValue(difference.correctedP)}</td>` : null}${overImages ? html`<td>${difference.overImages?.interval ? interval(difference.overImages.interval, decimals) : '–'}</td>` : null}${shown.map(({ key }) => figureCell(difference, key))}</tr>`
        : html`<tr>${methodHead(label, i + 1)}<td colspan="${shown.length + 1 + Number(tested) + Number(overImages)}" class="text">${unpairedSeeds(method, baseline).length > 0 ? `not paired: runs of equal seeds have other images than those of ${baseline.label}` : `no seed in common with ${baseline.label}`}</td></tr>`;
    }),
    { className: 'headline', label: 'Differences to the baseline' },
  )}${tested || overImages ? html`<p class="note">${tested ? 'Second line of Balanced: the interval over seeds; column Over images: that of the same mean over test images. ' : ''}${testsInWords(comparison)}</p>` : null}${overImages ? details('Each seed by itself', seedsTable(paired, decimals)) : null}`;
}

/** Differences of single seeds, with their intervals over the test images. */
function seedsTable(methods: readonly MethodResult[], decimals: number): Html {
  const seeds = [...new Set(methods.flatMap(({ difference }) => difference!.seeds))].sort((a, b) => a - b);
  return table(
    'Difference in balanced accuracy of each pair of runs, in points, with its 95 % bootstrap interval over the test images.',
    heads(['Method', ...seeds.map((seed) => `Seed ${seed}`)]),
    methods.map(({ label, difference }) => {
      const cells = seeds.map((wanted) => {
        const own = difference!.overImages?.seeds.find(({ seed }) => seed === wanted);
        return own
          ? html`<td>${points(own.difference, decimals)}<br><small>${interval(own.interval, decimals)}</small></td>`
          : html`<td>–</td>`;
      });
      return html`<tr><th scope="row">${label}</th>${cells}</tr>`;
    }),
    { label: 'Differences of single seeds' },
  );
}
