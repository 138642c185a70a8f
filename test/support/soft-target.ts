import { expect } from 'vitest';
import { compose } from '../../src/compose/compose.ts';
import type { Pass } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { plainLoss } from '../../src/step/loss.ts';
import type { Loss } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { infoWithCounts } from './plugins.ts';

/** The loss that plugins wrap. */
export const core: Loss = plainLoss();
/** Images of the three classes. */
export const counts = [300, 100, 20];
const logits = [
  [2, 0, -1],
  [0, 1, 1],
  [3, 0, -2],
];
const labels = [0, 2, 1];

/** Loss of each sample as the plugins make it. */
export function termLosses(plugins: readonly Plugin[], before: Loss = core): number[] {
  const { termLoss } = compose(plugins, infoWithCounts(counts)).hooks.buildLoss.call(before);
  return tf.tidy(() => Array.from(termLoss(tf.tensor2d(logits), tf.tensor1d(labels, 'int32'), {} as Pass).dataSync()));
}

/** −Σ_c q_c log p_c of each sample, written out. */
export const softTarget = (q: (label: number, c: number) => number): number[] =>
  logits.map((row, i) => {
    const sum = row.reduce((total, z) => total + Math.exp(z), 0);
    return -row.reduce((total, z, c) => total + q(labels[i]!, c) * Math.log(Math.exp(z) / sum), 0);
  });

export const expectClose = (actual: number[], expected: number[]): void =>
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 5);
  });
