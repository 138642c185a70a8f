import { join } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import { writeFileAtomic } from '../tracking/write-file.ts';
import { confusionSpec } from './charts/confusion.ts';
import { drawChartFile } from './charts/render.ts';
import { trainingSpec } from './charts/training.ts';
import { classBins } from './class-bins.ts';
import { type Comparison, compareRuns } from './compare.ts';
import { curves } from './curves.ts';
import { loadRuns } from './runs.ts';
import { writeReport } from './write.ts';

const CURVE = { width: 320, height: 180 };

/**
 * Writes the report of one run into its `report/`, with its curves and its confusion matrix as images of their own.
 *
 * @returns the files, relative to the run directory; none for a run without an evaluation.
 * @throws {TailmixError} Of {@link writeReport}.
 */
export async function writeRunReport(runDirectory: string): Promise<string[]> {
  const loaded = await loadRuns([runDirectory]);
  if (loaded.runs.length === 0) return [];
  const comparison = compareRuns(loaded);
  await writeReport(comparison, join(runDirectory, 'report'));
  const images = { 'report/curves.svg': curvesChart(comparison), 'report/confusion.svg': confusionChart(comparison) };
  const files = ['report/index.html'];
  for (const [file, chart] of Object.entries(images)) {
    if (!chart) continue;
    await writeFileAtomic(join(runDirectory, file), await drawChartFile(chart.spec, chart.title));
    files.push(file);
  }
  return files;
}

interface Chart {
  spec: TopLevelSpec;
  title: string;
}

function confusionChart({ methods: [method], classes, classCounts }: Comparison): Chart | null {
  if (!method?.confusion) return null;
  const title = `Confusion matrix of ${method.label}, last epoch, percent of the row`;
  return { spec: confusionSpec(method.confusion, classBins(classes, classCounts)), title };
}

function curvesChart({ methods: [method] }: Comparison): Chart | null {
  const charts = curves.flatMap((curve) => {
    const spec = trainingSpec(curve, [{ method: method!, index: 1 }], CURVE);
    return spec ? [{ ...spec, title: curve.title }] : [];
  });
  return charts.length === 0
    ? null
    : { spec: { hconcat: charts } as TopLevelSpec, title: `Curves of ${method!.label} over the epochs` };
}
