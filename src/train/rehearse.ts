import type { Composition } from '../compose/types.ts';
import type { Signature } from '../graph/index.ts';
import type { HookName } from '../hooks.ts';
import type { GroupImages } from '../row-groups.ts';
import type { RunInfo } from '../run.ts';
import { createBatch, createTargets, groupRanges, partsOfPairs } from '../step/batch.ts';
import type { Batch, StepContext } from '../step/types.ts';

type Source = 'train' | 'validation';

/** Divides by 2 to 6: what a plugin does in every so many epochs, it does not do in both rehearsals. */
const ROUND_EPOCH = 60;

/** How often a rehearsal is repeated until variants and lambdas are what it wants: they are drawn. */
const TRIES = 50;

/**
 * Calls every hook that decides something on the host, before each of a signature's two recordings, and never with the
 * same arguments: rows, labels, size, epoch, step, learning rate, class weights and sampling weights differ, and so do
 * the lambdas and variants that plugins draw. What a `build…` function wrongly closes over has changed in between.
 *
 * The first rehearsal is in epoch 1 and draws the signature's own size and variants, as far as it can; the second lies
 * beyond the last epoch.
 *
 * @param sizes - trained rows of the batches that the run has
 * @param processes - of a cluster: hooks decide for the whole batch, of which a signature has the rows of one process
 */
export function createRehearsal(composition: Composition, info: RunInfo, sizes: readonly number[], processes = 1) {
  let count = 0;
  const made: Partial<Record<Source, GroupImages>> = {};
  const images = (from: Source): GroupImages => (made[from] ??= imagesOf(info, from));
  let before: Batch | undefined;
  return (recording: 1 | 2, { call, inputs, variants }: Signature): void => {
    const rows = call === 'train' ? inputs.labels?.shape[0] : undefined;
    const own = rows === undefined ? (sizes[0] ?? 1) : rows * processes;
    const size = recording === 1 ? own : (sizes.find((other) => other !== own) ?? own);
    const isWanted = (batch: Batch): boolean =>
      recording === 1
        ? Object.entries(variants).every(([name, value]) => batch.variants[name] === value)
        : differs(composition, batch, before!);
    let batch: Batch;
    let tries = 0;
    do batch = rehearse(composition, info, { recording, size, count: count++, images });
    while (++tries < TRIES && !isWanted(batch));
    before = batch;
  };
}

/** Whether all that plugins draw differs: every variant that has several values, and lambda where something mixes. */
const differs = ({ variants, provides }: Composition, batch: Batch, before: Batch): boolean =>
  Object.entries(variants).every(
    ([name, values]) => values.length === 1 || batch.variants[name] !== before.variants[name],
  ) &&
  (provides.mix === undefined || batch.lambda[0] !== before.lambda[0]);

/** One call of each hook, in the loop's order. */
function rehearse(
  { hooks, variants, groups }: Composition,
  info: RunInfo,
  {
    recording,
    size,
    count,
    images,
  }: { recording: 1 | 2; size: number; count: number; images(from: Source): GroupImages },
): Batch {
  const { epochs, stepsPerEpoch, trainCount, classes } = info;
  const isFirst = recording === 1;
  const epoch = isFirst ? 1 : ROUND_EPOCH * (Math.floor(epochs / ROUND_EPOCH) + 1 + count);
  const stepInEpoch = isFirst ? 1 + (count % Math.max(1, stepsPerEpoch - 1)) : Math.max(1, stepsPerEpoch);
  // Plugins draw by epoch and step: an epoch may have fewer steps than it takes to draw all variants.
  const step = isFirst ? 1 + count : epoch * stepsPerEpoch;
  const ctx: StepContext = { epoch, step, stepInEpoch, rehearsal: true };
  const weights = Float64Array.from(classes, (_, c) => (isFirst ? 1 : 1 / (c + 2)));
  hooks.computeSamplingWeights.call(isFirst ? null : weights.slice(), { epoch, rehearsal: true });
  for (const group of Object.values(groups)) if (!group.view) group.weights(epoch, images(group.from));
  hooks.computeAugmentation.call(new Float32Array(classes.length).fill(1 / recording), { epoch, rehearsal: true });
  hooks.computeClassWeights.call(weights, { epoch, rehearsal: true });
  hooks.computeLearningRate.call(1 / recording, ctx);
  const names = Object.keys(groups);
  const indices = Int32Array.from({ length: size * (1 + names.length) }, (_, i) => (i * 7919 + recording) % trainCount);
  const labels = indices.map((_, i) => (i * 7919 + recording) % classes.length);
  const rows = { size, replicas: partsOfPairs(info), indices, labels, groups: groupRanges(names, size) };
  const batch = hooks.onBatch.call(createBatch(rows, variants), ctx);
  hooks.computeTargets.call(createTargets(batch), ctx);
  return batch;
}

/** Made-up images for groups to draw from, as many as the split has; those of validation take the classes in turn. */
const imagesOf = ({ classes, classCounts, trainCount, validationCount }: RunInfo, from: Source): GroupImages => {
  const [count, labels] =
    from === 'train'
      ? [trainCount, classCounts.flatMap((count, c) => Array<number>(count).fill(c))]
      : [validationCount, Array.from({ length: validationCount }, (_, i) => i % classes.length)];
  return { indices: Int32Array.from({ length: count }, (_, i) => i), labels: Int32Array.from(labels) };
};

/** Notes the state of plugins; the returned function puts it back. */
export function keepStates({ states }: Pick<Composition, 'states'>): () => void {
  const saved = Object.entries(states).map(([name, state]) => [name, structuredClone(state.save())] as const);
  return () => {
    for (const [name, state] of saved) states[name]!.load(state);
  };
}

/**
 * Whether a plugin that builds taps one of these hooks too: what its functions close over may then change after they
 * were recorded, in a hook that is not rehearsed, or in a way that no rehearsal has shown.
 */
export function buildersTap({ timings }: Pick<Composition, 'timings'>, hooks: (hook: HookName) => boolean): boolean {
  const builders = new Set(timings.filter(({ hook }) => isBuild(hook)).map(({ plugin }) => plugin));
  return timings.some(({ plugin, hook }) => builders.has(plugin) && hooks(hook));
}

/** Whether the hook wraps a function of the step. */
export const isBuild = (hook: HookName): boolean => hook.startsWith('build');
