import type { Subset } from '../../data/types.ts';
import type { Evaluation } from '../../metrics/types.ts';
import { evaluateSplit } from '../../train/evaluate-split.ts';
import type { Fit } from '../../train/fit.ts';
import { type Adapter, adapterOf, adaptTo } from '../../trained/adapt.ts';
import type { TrainedRun } from '../../trained/open.ts';
import { complain } from '../output.ts';
import { headline, linesOf } from './show.ts';

/** Figures of a prediction that has seen the images it is judged by, without their labels: never a run's own. */
export interface AdaptedEvaluation extends Evaluation {
  plugin: string;
  /** What was fitted. */
  fitted: Readonly<Record<string, number>>;
}

/** Who fits the prediction, and the run's composition with the outputs that it needs. */
export function adapting(run: TrainedRun) {
  const adapter = adapterOf(run);
  return { adapter, composition: { ...run.composition, extras: adapter.adaptation.extras } };
}

/** Fits the prediction to a split's images and evaluates it on them; warnings go to standard error. */
export async function evaluateAdapted(
  fit: Fit,
  adapter: Adapter,
  at: { split: 'validation' | 'test'; subset: Subset; epoch: number },
): Promise<AdaptedEvaluation> {
  const { plugin } = adapter;
  const { figures: fitted, warnings = [], fit: adapted } = await adaptTo(fit, at.subset, adapter);
  for (const warning of warnings) complain(`[${plugin}] --adapt: ${warning}`);
  const { evaluation } = await evaluateSplit(adapted, at, false);
  return { plugin, fitted, ...evaluation };
}

/** Its lines for a terminal, below those of the run itself. */
export const showAdapted = (evaluation: AdaptedEvaluation): string =>
  [
    '',
    `Adapted to these ${evaluation.count} images, without their labels (--adapt): not a figure of the run itself`,
    ...linesOf([[evaluation.plugin, fittedText(evaluation.fitted)], ...headline(evaluation)]),
  ].join('\n');

const fittedText = (fitted: AdaptedEvaluation['fitted']): string =>
  Object.entries(fitted)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)
    .join(', ');
