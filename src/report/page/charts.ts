import { grouped } from '../../util/grouped.ts';
import { confusionShares, confusionSpec } from '../charts/confusion.ts';
import { binDifferences, differenceLimit, differenceSpec } from '../charts/difference.ts';
import { groupColours, longTailSpec } from '../charts/long-tail.ts';
import { perClassSpec } from '../charts/per-class.ts';
import { reliabilitySpec } from '../charts/reliability.ts';
import { drawChart } from '../charts/render.ts';
import { speedSpec } from '../charts/speed.ts';
import { methodsTogether } from '../charts/theme.ts';
import { classBins } from '../class-bins.ts';
import type { Comparison } from '../compare.ts';
import { decimalsFor, duration, percent, points, withSpread } from '../format.ts';
import { type Html, html } from '../html.ts';
import { details, figure, legend, panel, panels } from './parts.ts';
import { perClassTable } from './tables.ts';

const labelsOf = ({ methods }: Comparison): string[] => methods.map(({ label }) => label);

/** Training images per class. */
export async function longTailFigure(comparison: Comparison): Promise<Html> {
  const { classCounts, dataset } = comparison;
  const [most, least] = [Math.max(...classCounts), Math.min(...classCounts)];
  const total = classCounts.reduce((a, b) => a + b, 0);
  const ratio = least === 0 ? 'some classes have none' : `ratio ${grouped(Math.round((10 * most) / least) / 10)}`;
  const text = `${grouped(total)} training images in ${grouped(classCounts.length)} classes, from ${grouped(most)} to ${grouped(least)} (${ratio})`;
  const key = html`<ul class="legend" aria-label="Groups">${Object.entries(groupColours).map(
    ([name, colour]) =>
      html`<li><svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><rect width="22" height="10" fill="${colour}"/></svg>${name}</li>`,
  )}</ul>`;
  return figure(
    `${text}.`,
    await drawChart(longTailSpec(comparison), `Training images per class of ${dataset}: ${text}.`),
    { wide: true, key },
  );
}

/** Accuracy per class and method, as chart and as table. */
export async function perClassFigure(comparison: Comparison): Promise<Html> {
  const { methods, classes } = comparison;
  const several = methods.some(({ seeds }) => seeds.length > 1);
  const chart = await drawChart(
    perClassSpec(comparison),
    `Test accuracy of ${methods.length} methods over ${classes.length} classes from head to tail; the table below has the numbers.`,
  );
  const spread =
    several && methods.length <= methodsTogether ? ' Thin lines: ± one standard deviation over the seeds.' : '';
  return html`${figure(`Last epoch, classes from head to tail, with their training images.${spread}`, chart, {
    wide: true,
    key: methods.length <= methodsTogether ? legend(labelsOf(comparison)) : null,
  })}${details('Numbers in this chart', perClassTable(comparison))}`;
}

/** Per class against the baseline, a panel for each other method. */
export async function differenceFigure({ methods, classes, classCounts, testCount }: Comparison): Promise<Html | null> {
  const [baseline, ...others] = methods;
  const bins = classBins(classes, classCounts);
  const paired = others.flatMap((method, i) =>
    method.difference
      ? [{ method, index: i + 1, difference: method.difference, bars: binDifferences(method, baseline!, bins) }]
      : [],
  );
  if (paired.length === 0) return null;
  const limit = differenceLimit(paired.map(({ bars }) => bars));
  const charts: Html[] = [];
  for (const { method, index, bars, difference } of paired) {
    const overall = points(difference.figures.balancedAccuracy!.mean, decimalsFor(testCount));
    const description = `${method.label} against ${baseline!.label} per class, in points: ${bins
      .map(({ label }, b) => `${label} ${bars[b] ? points(bars[b].mean) : 'none'}`)
      .join(', ')}.`;
    charts.push(
      panel(
        index,
        method.label,
        `${overall} balanced`,
        await drawChart(differenceSpec(bars, bins, index, limit), description),
      ),
    );
  }
  return figure(
    `Test accuracy minus that of ${baseline!.label} with the same seed, in points, from head (top) to tail. All panels have one scale.`,
    panels(charts, '19rem'),
  );
}

/** A confusion matrix for each method. */
export async function confusionFigures({ methods, classes, classCounts }: Comparison): Promise<Html> {
  const bins = classBins(classes, classCounts);
  const binned = bins.some(({ members }) => members.length > 1);
  const charts: Html[] = [];
  for (const [index, { label, confusion }] of methods.entries()) {
    if (!confusion) continue;
    const diagonal = confusionShares(confusion, bins).flatMap((row, i) =>
      row[i] === null ? [] : `${bins[i]!.label} ${percent(row[i]!, 0)}`,
    );
    charts.push(
      panel(
        index,
        label,
        null,
        await drawChart(
          confusionSpec(confusion, bins),
          `Confusion matrix of ${label}. Right, in percent: ${diagonal.join(', ')}.`,
        ),
      ),
    );
  }
  if (charts.length === 0) return html`<p class="note">No run has a confusion matrix.</p>`;
  return figure(
    binned
      ? 'Rows: bins of true classes by number of training images, head first. Columns: bin of the predicted class. Percent of the row; the diagonal holds right predictions and confusions within a bin.'
      : 'Rows: true class, head first. Columns: predicted class. Percent of the row, all seeds together; shares below 0.5 % are not printed. Blue: right, orange: wrong.',
    panels(charts, '19.5rem'),
  );
}

/** Confidence against accuracy, a panel for each method. */
export async function reliabilityFigures({ methods, testCount }: Comparison): Promise<Html> {
  const charts: Html[] = [];
  for (const [index, { label, reliability, figures }] of methods.entries()) {
    const ece = withSpread(figures.ece, decimalsFor(testCount));
    charts.push(
      panel(
        index,
        label,
        `ECE ${ece}`,
        await drawChart(
          reliabilitySpec(reliability, index),
          `Reliability of ${label}: expected calibration error ${ece} percent.`,
        ),
      ),
    );
  }
  return figure(
    'Accuracy of the predictions by their confidence, 15 bins; the fuller a bar’s colour, the more predictions it holds. Below the dashed diagonal a method is surer than it is right.',
    panels(charts, '15rem'),
  );
}

/** Wall time and images per second. */
export async function speedFigures({ methods }: Comparison): Promise<Html> {
  const seconds = methods.map(({ label, seconds }, index) => ({
    label,
    value: seconds,
    text: duration(seconds.mean),
    index,
  }));
  const speed = methods.flatMap(({ label, imagesPerSecond }, index) =>
    imagesPerSecond ? [{ label, value: imagesPerSecond, text: grouped(Math.round(imagesPerSecond.mean)), index }] : [],
  );
  const describe = (bars: typeof seconds) => bars.map(({ label, text }) => `${label} ${text}`).join(', ');
  const charts = [await drawChart(speedSpec(seconds, 'seconds'), `Wall time of a run: ${describe(seconds)}.`)];
  if (speed.length > 0)
    charts.push(
      await drawChart(speedSpec(speed, 'images per second'), `Images per second in training: ${describe(speed)}.`),
    );
  const titles = ['Wall time of a run', 'Images per second in training'];
  return figure(
    'Means over the runs of a method. Wall time includes evaluation and resumes; images per second is the median over the epochs after the first.',
    panels(
      charts.map((chart, i) => html`<section class="panel"><h3>${titles[i]!}</h3>${chart}</section>`),
      '22rem',
    ),
  );
}
