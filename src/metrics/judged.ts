import { TailmixError } from '../errors.ts';
import { nearest } from '../util/names.ts';
import type { Evaluation } from './types.ts';

/** Figures of core that something can be judged by, with what is better. */
const own = {
  accuracy: { better: 'high', of: (e: Evaluation) => e.accuracy },
  balancedAccuracy: { better: 'high', of: (e: Evaluation) => e.balancedAccuracy },
  many: { better: 'high', of: (e: Evaluation) => e.many },
  medium: { better: 'high', of: (e: Evaluation) => e.medium },
  few: { better: 'high', of: (e: Evaluation) => e.few },
  worstClass: { better: 'high', of: (e: Evaluation) => e.worstClass.accuracy },
  macroF1: { better: 'high', of: (e: Evaluation) => e.macroF1 },
  top5: { better: 'high', of: (e: Evaluation) => e.top5 },
  loss: { better: 'low', of: (e: Evaluation) => e.loss },
  ece: { better: 'low', of: (e: Evaluation) => e.ece },
} as const;

const isOwn = (metric: string): metric is keyof typeof own => Object.hasOwn(own, metric);

/** A figure of an evaluation that something is judged by, and whether more of it is better. */
export interface Judged {
  value: number;
  better: 'high' | 'low';
}

/**
 * A figure of an evaluation by its name: one of core's, or one that a plugin gave in `computeFigures`. Of a plugin's more is taken
 * to be better unless it is said otherwise.
 *
 * @param metric - `accuracy`, `balancedAccuracy`, `many`, `medium`, `few`, `worstClass`, `macroF1`, `top5`, `loss`, `ece`, or the name of
 *   a plugin's figure
 * @param better - overrides what is better
 * @throws {TailmixError} METRIC_UNKNOWN where the evaluation has no such figure.
 */
export function judgedBy(evaluation: Evaluation, metric: string, better?: 'high' | 'low'): Judged {
  const figures = evaluation.figures ?? {};
  const value = isOwn(metric) ? own[metric].of(evaluation) : figures[metric];
  if (typeof value !== 'number') throw metricUnknown(metric, [...Object.keys(own), ...Object.keys(figures)]);
  return { value, better: better ?? (isOwn(metric) ? own[metric].better : 'high') };
}

const metricUnknown = (metric: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `metric "${metric}": expected a figure that the evaluation has, ${nearest(metric, known)}. ` +
      'A group without classes has no figure; figures of plugins are there where the plugin runs.',
    { code: 'METRIC_UNKNOWN', kind: 'config' },
  );
