import { drawChart } from '../charts/render.ts';
import { methodsTogether } from '../charts/theme.ts';
import { type PlacedMethod, trainingSpec } from '../charts/training.ts';
import type { Comparison } from '../compare.ts';
import { curves } from '../curves.ts';
import { percent } from '../format.ts';
import { type Html, html } from '../html.ts';
import { figure, legend, panel, panels } from './parts.ts';

type Curve = (typeof curves)[number];

const caution =
  'Loss is each method’s own: with other targets, margins or weights its level does not compare. ' +
  'Training accuracy is weighted by the label weights: on mixed images it stays below that on plain ones.';

/** Loss and accuracies over the epochs: all methods in one chart or, of many, each beside the baseline. */
export async function trainingFigures({ methods }: Comparison): Promise<Html> {
  const placed = methods.map((method, index): PlacedMethod => ({ method, index }));
  const several = methods.some(({ seeds }) => seeds.length > 1);
  const band = several ? 'Means over the seeds; bands: ± one standard deviation. ' : '';
  const together = methods.length <= methodsTogether;
  const parts: Html[] = [];
  for (const curve of curves) {
    const part = together ? await oneChart(curve, placed) : await chartForEach(curve, placed);
    if (part) parts.push(part);
  }
  if (parts.length === 0) return html`<p>No run has a readable metrics.jsonl.</p>`;
  return together
    ? figure(`${band}${caution}`, panels(parts, '19rem'), {
        key: legend(methods.map(({ label }) => label)),
      })
    : figure(`In grey: ${methods[0]!.label}. ${band}${caution}`, parts);
}

async function oneChart(curve: Curve, methods: readonly PlacedMethod[]): Promise<Html | null> {
  const chart = await draw(curve, methods, { width: 290, height: 210 });
  return chart && html`<section class="panel"><h3>${curve.title}</h3>${chart}</section>`;
}

async function chartForEach(curve: Curve, methods: readonly PlacedMethod[]): Promise<Html | null> {
  const [baseline] = methods;
  const charts: Html[] = [];
  for (const placed of methods) {
    const shown = placed === baseline ? [placed] : [baseline!, placed];
    const chart = await draw(curve, shown, { width: 190, height: 110 });
    if (chart) charts.push(panel(placed.index, placed.method.label, null, chart));
  }
  return charts.length === 0 ? null : html`<h3>${curve.title}</h3>${panels(charts, '15rem')}`;
}

async function draw(curve: Curve, methods: readonly PlacedMethod[], size: { width: number; height: number }) {
  const spec = trainingSpec(curve, methods, size);
  const ends = methods.map(({ method }) => {
    const end = method.curve.findLast((point) => point[curve.key])?.[curve.key];
    if (!end) return `${method.label} none`;
    return `${method.label} ${curve.share ? `${percent(end.mean)} %` : end.mean.toPrecision(3)}`;
  });
  return spec && drawChart(spec, `${curve.title} over the epochs; at the end: ${ends.join(', ')}.`);
}
