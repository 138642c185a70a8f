import { userInfo } from 'node:os';
import { relative } from 'node:path';
import { describeGroups, displayPath, type Run, type RunSummary, tf, version } from 'tailmix';
import type { Texts } from 'tailmix/tracking';

export type Tree = Readonly<Record<string, unknown>>;

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown): string => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'null');
};

/** A tree as texts by path, parts joined by dots: as `--set` names them. */
export function flatten(tree: Tree, path = ''): Texts {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, value]): [string, string][] => {
      const here = path === '' ? key : `${path}.${key}`;
      return isTree(value) ? Object.entries(flatten(value, here)) : [[here, text(value)]];
    }),
  );
}

/**
 * A run's resolved config as parameters: `train.optimizer.learningRate`, `plugins.remix.kappa`. `plugins` lists those
 * that take part. The address of the server is left out.
 */
export function paramsOf({ config, info }: Pick<Run, 'config' | 'info'>): Texts {
  if (!isTree(config)) {
    const { name, seed, dataset, augment, epochs, batchSize } = info;
    return flatten({ name, seed, data: { name: dataset, augment }, train: { epochs, batchSize } });
  }
  const { plugins, ...rest } = config;
  const entries = (Array.isArray(plugins) ? plugins : []).filter(isTree);
  const used = entries.filter(({ enabled }) => enabled !== false);
  const options: Record<string, Tree> = {};
  for (const { use, server: _, ...others } of entries) {
    const name = text(use);
    options[name in options ? `${name}.${Object.keys(options).length}` : name] = others;
  }
  return { ...flatten({ ...rest, plugins: options }), plugins: used.map(({ use }) => text(use)).join(', ') };
}

/** Who runs it, as what. */
export function sourceTags(): Texts {
  let user: string;
  try {
    user = userInfo().username;
  } catch {
    user = process.env.USER ?? 'unknown';
  }
  const script = process.argv[1] ?? '';
  const path = relative(process.cwd(), script);
  return {
    'mlflow.user': user,
    'mlflow.source.type': 'LOCAL',
    'mlflow.source.name': path.startsWith('..') || path === '' ? script : path,
  };
}

/** What decides a run's results in addition to its parameters, and what they are compared by. */
export function runTags({ directory, engine, subset }: Run, summary: RunSummary): Texts {
  const { method, seed, configHash, subsetHash, dataset, groups } = summary;
  return {
    'tailmix.version': version,
    'tailmix.method': method,
    'tailmix.dataset': dataset,
    'tailmix.seed': String(seed),
    'tailmix.subset_seed': String(subset.seed),
    'tailmix.subset_hash': subsetHash,
    'tailmix.config_hash': configHash,
    'tailmix.backend': engine.backend,
    ...(engine.tensorflow === null ? {} : { 'tailmix.tensorflow': engine.tensorflow }),
    ...(engine.device === undefined ? {} : { 'tailmix.device': engine.device }),
    'tailmix.step_mode': engine.mode,
    ...(engine.reason === null ? {} : { 'tailmix.step_mode_reason': engine.reason }),
    'tailmix.precision': engine.precision,
    ...(engine.precisionReason === null ? {} : { 'tailmix.precision_reason': engine.precisionReason }),
    'tailmix.groups': describeGroups(groups),
    'tailmix.directory': displayPath(directory!),
  };
}

/** Weights by name, with shapes and numbers of values. */
export function modelSummary({ weights, info }: Pick<Run, 'weights' | 'info'>): string {
  const sizes = weights.map(({ shape }) => tf.util.sizeFromShape([...shape]));
  const rows = weights.map(({ name, shape, trained }, i): string[] => [
    name,
    `[${shape.join(', ')}]`,
    String(sizes[i]!),
    trained ? '' : 'not trained',
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  const line = ([name, shape, size, note]: string[]): string =>
    `${name!.padEnd(widths[0]!)}  ${shape!.padEnd(widths[1]!)}  ${size!.padStart(widths[2]!)}  ${note}`.trimEnd();
  const sum = (wanted: (trained: boolean) => boolean): number =>
    sizes.reduce((total, size, i) => total + (wanted(weights[i]!.trained) ? size : 0), 0);
  return [
    `images [${info.imageShape.join(', ')}] -> ${info.classes.length} classes; stages: ${info.modelStages.join(', ')}`,
    '',
    ...rows.map(line),
    '',
    `trained: ${sum((trained) => trained)}`,
    `not trained: ${sum((trained) => !trained)}`,
    '',
  ].join('\n');
}
