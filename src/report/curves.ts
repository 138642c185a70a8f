import { type Spread, spreadOf } from '../metrics/statistics.ts';
import type { LoadedRun } from './runs.ts';

/** Curves of a method, in the order they are drawn. */
export const curves = [
  { key: 'balancedAccuracy', title: 'Balanced accuracy on the test set', share: true },
  { key: 'loss', title: 'Training loss', share: false },
  { key: 'trainAccuracy', title: 'Training accuracy', share: true },
] as const;
type CurveKey = (typeof curves)[number]['key'];

/** One epoch of a method, over the seeds that reached it. */
export type CurvePoint = { epoch: number } & Record<CurveKey, Spread | null>;

/** Epochs of all runs of a method, in order. */
export function curveOf(runs: readonly LoadedRun[]): CurvePoint[] {
  const byRun = runs.map(({ epochs }) => new Map(epochs.map((point) => [point.epoch, point])));
  const epochs = [...new Set(byRun.flatMap((points) => [...points.keys()]))].sort((a, b) => a - b);
  return epochs.map((epoch) => {
    const points = byRun.map((run) => run.get(epoch));
    return {
      epoch,
      balancedAccuracy: spreadOf(points.map((point) => point?.test?.balancedAccuracy)),
      loss: spreadOf(points.map((point) => point?.train.loss)),
      trainAccuracy: spreadOf(points.map((point) => point?.train.accuracy)),
    };
  });
}
