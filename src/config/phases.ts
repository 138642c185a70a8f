import { trainOptions } from '../train/options.ts';
import type { PhaseOptions } from '../train/phases.ts';
import { check, invalid, type Result, valid } from './issues.ts';
import { isMap, mergeTrees, type Path, type Tree } from './tree.ts';
import type { RunOptions } from './types.ts';

/** Phases as lists of maps; anything else is left for the schema to refuse. */
export const writtenPhases = (tree: Tree): { phase: Tree; path: Path }[] =>
  Array.isArray(tree.phases)
    ? tree.phases.flatMap((phase: unknown, i) => (isMap(phase) ? [{ phase, path: ['phases', i] }] : []))
    : [];

/** A config without its plugin entries, which have schemas of their own. */
export const withoutEntries = (tree: Tree): Tree => ({
  ...without(tree),
  ...(Array.isArray(tree.phases) && {
    phases: tree.phases.map((phase: unknown) => (isMap(phase) ? without(phase) : phase)),
  }),
});

const without = (tree: Tree): Tree => (Array.isArray(tree.plugins) ? { ...tree, plugins: [] } : tree);

type PhaseTrain = NonNullable<PhaseOptions['train']>;

/**
 * The `train` section of each phase as it will be, what the phase says on top of what the run says.
 *
 * @param tree - the run's config with its placeholders filled in; `written` without.
 */
export function mergePhaseTrain(tree: Tree, written: Tree): Result<PhaseTrain[]> {
  const sources = writtenPhases(written);
  const merged = (base: Tree, own: Tree): unknown =>
    mergeTrees({ train: base.train ?? {} }, { train: own.train ?? {} }).train;
  const checked = writtenPhases(tree).map(({ phase, path }, i) =>
    check(
      {
        schema: trainOptions,
        value: merged(tree, phase),
        written: merged(written, sources[i]!.phase),
        owner: 'train',
      },
      [...path, 'train'],
    ),
  );
  const findings = checked.flatMap((one) => one.findings);
  if (findings.length > 0) return invalid(...findings);
  return valid(
    checked.map(({ value }) => {
      const { batchSize, dropLast, reduction, optimizer } = value!;
      return { batchSize, dropLast, reduction, optimizer };
    }),
  );
}

/** Phases as the trainer takes them, but for their plugins. */
export const phasesOfOptions = (
  { phases }: RunOptions,
  train: readonly PhaseTrain[],
): Omit<PhaseOptions, 'plugins'>[] | null =>
  phases?.map(({ name, epochs, model }, i) => ({
    ...(name !== undefined && { name }),
    ...(epochs !== undefined && { epochs }),
    model: model as NonNullable<PhaseOptions['model']>,
    train: train[i]!,
  })) ?? null;
