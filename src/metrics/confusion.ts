import type { ConfusionCount } from './types.ts';

/** Counts pairs of true and predicted class; as many numbers as pairs occur, whatever the number of classes. */
export function createConfusion(classes: number) {
  const counts = new Map<number, number>();
  return {
    add(label: number, predicted: number, count = 1): void {
      const pair = label * classes + predicted;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    },
    /** By true class, then by predicted class. */
    result: (): ConfusionCount[] =>
      [...counts].sort(([a], [b]) => a - b).map(([pair, count]) => [Math.floor(pair / classes), pair % classes, count]),
  };
}
