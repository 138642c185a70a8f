import type { Evaluation } from '../metrics/types.ts';

/** Figures of the headline tables, in column order; all are shares in 0…1. */
export const figures = [
  { key: 'accuracy', title: 'Accuracy', short: 'acc', better: 'high', of: (e: Evaluation) => e.accuracy },
  {
    key: 'balancedAccuracy',
    title: 'Balanced',
    short: 'bal',
    better: 'high',
    of: (e: Evaluation) => e.balancedAccuracy,
  },
  { key: 'many', title: 'Many', short: 'many', better: 'high', of: (e: Evaluation) => e.many },
  { key: 'medium', title: 'Medium', short: 'medium', better: 'high', of: (e: Evaluation) => e.medium },
  { key: 'few', title: 'Few', short: 'few', better: 'high', of: (e: Evaluation) => e.few },
  {
    key: 'worstClass',
    title: 'Worst class',
    short: 'worst',
    better: 'high',
    of: (e: Evaluation) => e.worstClass.accuracy,
  },
  { key: 'macroF1', title: 'Macro-F1', short: 'F1', better: 'high', of: (e: Evaluation) => e.macroF1 },
  { key: 'ece', title: 'ECE', short: 'ECE', better: 'low', of: (e: Evaluation) => e.ece },
  { key: 'top5', title: 'Top-5', short: 'top-5', better: 'high', of: (e: Evaluation) => e.top5 },
] as const;

export type Figure = (typeof figures)[number];
export type FigureKey = Figure['key'];

/** A key as tables and MLflow have it: `balanced_accuracy`, `top_5`. */
export const snake = (key: FigureKey): string =>
  key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/(?<=\D)(\d)$/, '_$1');
