import { compose } from '../../src/compose/compose.ts';
import type { Composition } from '../../src/compose/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import type { RunInfo } from '../../src/run.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import type { Batch, StepContext, Targets } from '../../src/step/types.ts';
import { smallInfo } from './info.ts';

/** Class counts of CIFAR-10 LT, ratio 100. */
export const CIFAR10_LT_100 = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50];

/** Info of a run on classes of the given sizes. */
export const infoWithCounts = (classCounts: readonly number[], changes: Partial<RunInfo> = {}): RunInfo =>
  smallInfo({
    classCounts,
    classes: classCounts.map((_, c) => `class ${c}`),
    trainCount: classCounts.reduce((a, b) => a + b, 0),
    ...changes,
  });

/** Step `step` of a run, in epoch `epoch`. */
export const at = (epoch: number, step = 1, stepInEpoch = 1): StepContext => ({
  epoch,
  step,
  stepInEpoch,
  rehearsal: false,
});

/**
 * A batch as the plugins leave it, with its targets. `labels` are those of the pool: the trained rows, then as many for
 * each extra draw.
 */
export function mixBatch(
  { hooks, variants, groups }: Pick<Composition, 'hooks' | 'variants' | 'groups'>,
  labels: Int32Array,
  ctx: StepContext,
  replicas = 1,
): { batch: Batch; targets: Targets } {
  const names = Object.keys(groups);
  const size = labels.length / (1 + names.length);
  const ranges = Object.fromEntries(names.map((name, k) => [name, { start: size * (k + 1), size }]));
  const rows = { size, replicas, indices: labels.map((_, i) => i), labels, groups: ranges };
  const batch = hooks.onBatch.call(createBatch(rows, variants), ctx);
  return { batch, targets: hooks.computeTargets.call(createTargets(batch), ctx) };
}

/** Class weights of a run in an epoch. */
export const classWeightsIn = ({ hooks }: Composition, classes: number, epoch: number): number[] =>
  Array.from(hooks.computeClassWeights.call(new Float64Array(classes).fill(1), at(epoch)));

/** Codes and messages of what plugins warn of. */
export const warningsOf = (plugins: readonly Plugin[], info: RunInfo): string[] =>
  compose(plugins, info).warnings.map(({ code, plugin, message }) => `${code} [${plugin}] ${message}`);

/** Weights that a group of rows is drawn with in an epoch. */
export function drawnWeights({ groups }: Pick<Composition, 'groups'>, name: string, epoch: number): Float64Array {
  const group = groups[name]!;
  if (group.view) throw new Error(`${name} is a view`);
  return group.weights(epoch, { indices: Int32Array.of(0), labels: Int32Array.of(0) });
}
