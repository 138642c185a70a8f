import type { PhaseOptions } from '../train/phases.ts';
import { describeIssues, type Finding } from './issues.ts';
import { trainOptions } from './schema.ts';
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
 * @param tree the run's config with its placeholders filled in; `written` without.
 */
export function mergePhaseTrain(tree: Tree, written: Tree): { train: PhaseTrain[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const sources = writtenPhases(written);
  const train = writtenPhases(tree).map(({ phase, path }, i): PhaseTrain => {
    const merged = (base: Tree, own: Tree): unknown =>
      mergeTrees({ train: base.train ?? {} }, { train: own.train ?? {} }).train;
    const value = merged(tree, phase);
    const parsed = trainOptions.safeParse(value);
    if (parsed.success) {
      const { batchSize, dropLast, reduction, optimizer } = parsed.data;
      return { batchSize, dropLast, reduction, optimizer };
    }
    const checked = { schema: trainOptions, value, written: merged(written, sources[i]!.phase), owner: 'train' };
    const found = describeIssues(parsed.error.issues, checked);
    findings.push(...found.map(({ path: at, message }) => ({ path: [...path, 'train', ...at], message })));
    return {};
  });
  return { train, findings };
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
