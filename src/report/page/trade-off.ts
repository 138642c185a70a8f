import { drawChart } from '../charts/render.ts';
import { methodsTogether } from '../charts/theme.ts';
import { countAccuracySpec, paretoFront, tradeOffSpec } from '../charts/trade-off.ts';
import { classBins } from '../class-bins.ts';
import type { Comparison } from '../compare.ts';
import { duration, percent } from '../format.ts';
import type { Html } from '../html.ts';
import { figure, legend } from './parts.ts';

/** Balanced accuracy against time; null for one method. */
export async function tradeOffFigure({ methods }: Comparison): Promise<Html | null> {
  if (methods.length < 2) return null;
  const front = paretoFront(methods).map(
    ({ label, seconds, figures }) =>
      `${label} (${duration(seconds.mean)}, ${percent(figures.balancedAccuracy!.mean)} %)`,
  );
  return figure(
    `Balanced accuracy of the last epoch against the wall time of a run, means over the runs. The dashed line joins the methods that no other beats in both: ${front.join(', ')}. Differences in accuracy may be chance, and times are those of one machine under what else it did.`,
    await drawChart(tradeOffSpec(methods), `Balanced accuracy against time. Beaten by no other: ${front.join(', ')}.`),
    { wide: true },
  );
}

/** Accuracy of the classes over their training images; null for more methods than one chart can tell apart. */
export async function countAccuracyFigure({ methods, classes, classCounts }: Comparison): Promise<Html | null> {
  if (methods.length > methodsTogether) return null;
  const bins = classBins(classes, classCounts);
  const what = bins.some(({ members }) => members.length > 1) ? 'bin of classes' : 'class';
  return figure(
    `Test accuracy of the last epoch over the training images of a class, a point for each ${what} and method.`,
    await drawChart(
      countAccuracySpec(methods, bins, classCounts),
      `Test accuracy over the number of training images, ${methods.length} methods; the table of classes has the numbers.`,
    ),
    { wide: true, key: legend(methods.map(({ label }) => label)) },
  );
}
