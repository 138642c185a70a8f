import { declaredCorrection } from '../compose/declared.ts';
import type { Subset } from '../data/types.ts';
import type { LogitPrior } from '../metrics/further.ts';
import type { Plugin } from '../plugin.ts';
import { signatureFor } from '../step/signature.ts';
import { type Evaluated, evaluate } from './evaluate.ts';
import type { Fit } from './fit.ts';

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
