import { declaredCorrection } from '../compose/declared.ts';
import type { Subset } from '../data/types.ts';
import { furtherFigures, type LogitPrior } from '../metrics/further.ts';
import { keptTable } from '../metrics/logits.ts';
import type { Evaluation } from '../metrics/types.ts';
import type { Plugin } from '../plugin.ts';
import { signatureFor } from '../step/signature.ts';
import { type Evaluated, evaluate } from './evaluate.ts';
import type { Fit } from './fit.ts';
import type { Progress } from './open-run.ts';

/** Logits of a split that are kept where the config does not say, at most. */
const MOST_KEPT = 100_000_000;

/**
 * Evaluates a phase's weights on a split, with the figures of its plugins.
 *
 * @param epoch - as its plugins count it
 * @param keep - whether logits are kept. Default: as the config says.
 */
export function evaluateSplit(
  { engine, program, loader, info, composition: { hooks }, settings, options: { directory, link } }: Fit,
  { split, subset, epoch }: { split: 'validation' | 'test'; subset: Subset; epoch: number },
  keep = directory !== undefined &&
    (settings.evaluate.keepLogits ?? subset.indices.length * info.classes.length <= MOST_KEPT),
): Promise<Evaluated> {
  const { computeFigures } = hooks;
  return evaluate(engine, signatureFor(program, 'predict', {}), loader, subset, info, {
    keep,
    figures: computeFigures.taps.length === 0 ? null : (seen) => computeFigures.call({}, { split, epoch, ...seen }),
    link,
  });
}

/** What the logits of a run estimate: a plugin that corrects the class prior trains or shifts them for equal shares. */
export const logitPrior = (plugins: readonly Plugin[]): LogitPrior =>
  plugins.some((plugin) => declaredCorrection(plugin) === 'class prior') ? 'uniform' : 'training';

/** Evaluates a split, whose logits the run has from then on; null where there is no such split. */
export async function evaluateOn(
  progress: Progress,
  split: 'validation' | 'test',
  epoch: number,
): Promise<Evaluation | null> {
  const { fit } = progress;
  const subset = fit.data[split];
  if (!subset) return null;
  const { evaluation, logits } = await evaluateSplit(fit, { split, subset, epoch });
  progress.logits[split] = logits;
  return evaluation;
}

/**
 * What the last evaluation comes to beyond its figures. A run resumed after its last epoch knows that epoch's figures, but
 * neither the confusion matrix nor the logits.
 *
 * @param before - epochs of the phases before this one
 */
export async function completeEvaluation(progress: Progress, before: number): Promise<void> {
  const { fit, epochs } = progress;
  const last = epochs.at(-1);
  if (last?.test?.confusion === null) {
    last.validation = await evaluateOn(progress, 'validation', last.epoch - before);
    last.test = await evaluateOn(progress, 'test', last.epoch - before);
  }
  const tested = epochs.findLast(({ test }) => test !== null)?.test;
  if (!tested) return;
  const { classCounts, groups } = fit.info;
  const table = progress.logits.test && keptTable(progress.logits.test);
  const prior = logitPrior(fit.composition.plugins);
  progress.figures = furtherFigures(tested, table, { classCounts, groups, prior });
}
