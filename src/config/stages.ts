import type { StageOptions } from '../train/phases.ts';
import { describeIssues, type Finding } from './issues.ts';
import { trainOptions } from './schema.ts';
import { isMap, mergeTrees, type Path, type Tree } from './tree.ts';
import type { RunOptions } from './types.ts';

/** Stages as lists of maps; anything else is left for the schema to refuse. */
export const writtenStages = (tree: Tree): { stage: Tree; path: Path }[] =>
  Array.isArray(tree.stages)
    ? tree.stages.flatMap((stage: unknown, i) => (isMap(stage) ? [{ stage, path: ['stages', i] }] : []))
    : [];

/** A config without its plugin entries, which have schemas of their own. */
export const withoutEntries = (tree: Tree): Tree => ({
  ...without(tree),
  ...(Array.isArray(tree.stages) && {
    stages: tree.stages.map((stage: unknown) => (isMap(stage) ? without(stage) : stage)),
  }),
});

const without = (tree: Tree): Tree => (Array.isArray(tree.plugins) ? { ...tree, plugins: [] } : tree);

type StageTrain = NonNullable<StageOptions['train']>;

/**
 * The `train` section of each stage as it will be, what the stage says on top of what the run says.
 *
 * @param tree the run's config with its placeholders filled in; `written` without.
 */
export function mergeStageTrain(tree: Tree, written: Tree): { train: StageTrain[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const sources = writtenStages(written);
  const train = writtenStages(tree).map(({ stage, path }, i): StageTrain => {
    const merged = (base: Tree, own: Tree): unknown =>
      mergeTrees({ train: base.train ?? {} }, { train: own.train ?? {} }).train;
    const value = merged(tree, stage);
    const parsed = trainOptions.safeParse(value);
    if (parsed.success) {
      const { batchSize, dropLast, reduction, optimizer } = parsed.data;
      return { batchSize, dropLast, reduction, optimizer };
    }
    const checked = { schema: trainOptions, value, written: merged(written, sources[i]!.stage), owner: 'train' };
    const found = describeIssues(parsed.error.issues, checked);
    findings.push(...found.map(({ path: at, message }) => ({ path: [...path, 'train', ...at], message })));
    return {};
  });
  return { train, findings };
}

/** Stages as the trainer takes them, but for their plugins. */
export const stagesOfOptions = (
  { stages }: RunOptions,
  train: readonly StageTrain[],
): Omit<StageOptions, 'plugins'>[] | null =>
  stages?.map(({ name, epochs, model }, i) => ({
    ...(name !== undefined && { name }),
    ...(epochs !== undefined && { epochs }),
    model: model as NonNullable<StageOptions['model']>,
    train: train[i]!,
  })) ?? null;
