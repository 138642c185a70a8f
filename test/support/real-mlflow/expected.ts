import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { EpochMetrics, Evaluation, RunSummary } from '../../../src/metrics/types.ts';

type Values = Record<string, number | null>;

const json = async <T>(...path: string[]): Promise<T> => JSON.parse(await readFile(join(...path), 'utf8'));

/** Epochs of a run, from its `metrics.jsonl`. */
export async function epochsOf(directory: string): Promise<EpochMetrics[]> {
  const lines = (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line));
}

const under = (section: string, values: Values): [string, number][] =>
  Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [[`${section}/${key}`, value]]));

const tested = (section: string, found: Evaluation): [string, number][] =>
  under(section, {
    loss: found.loss,
    accuracy: found.accuracy,
    balanced_accuracy: found.balancedAccuracy,
    many: found.many,
    medium: found.medium,
    few: found.few,
    worst_class: found.worstClass.accuracy,
    macro_f1: found.macroF1,
    ece: found.ece,
    top5: found.top5,
  });

/** Points `[step, value]` by metric that a run should have, read from its directory alone; `step/…` is not among them. */
export async function expectedMetrics(directory: string): Promise<Record<string, [step: number, value: number][]>> {
  const points: Record<string, [number, number][]> = {};
  for (const { epoch, train, test, learningRate, seconds, waitSeconds, imagesPerSecond } of await epochsOf(directory)) {
    const { loss, accuracy, relabelledShare } = train;
    for (const [key, value] of [
      ...under('train', { loss, accuracy, relabelled_share: relabelledShare, learning_rate: learningRate }),
      ...under('speed', { epoch_seconds: seconds, wait_seconds: waitSeconds, images_per_second: imagesPerSecond }),
      ...tested('test', test!),
    ]) {
      points[key] ??= [];
      points[key].push([epoch, value]);
    }
  }
  const summary = await json<RunSummary>(directory, 'summary.json');
  if (summary.status !== 'finished') return points;
  const { last, lastFiveMedian, bestOnTest, figures, seconds } = summary;
  const final = [
    ...tested('final', last!),
    ...under('further', figures!),
    ...under('final', {
      seconds,
      last5_median_accuracy: lastFiveMedian!.accuracy,
      last5_median_balanced_accuracy: lastFiveMedian!.balancedAccuracy,
    }),
    ...under('optimistic', {
      best_on_test_accuracy: bestOnTest!.accuracy,
      best_on_test_balanced_accuracy: bestOnTest!.balancedAccuracy,
      best_on_test_epoch: bestOnTest!.epoch,
    }),
  ];
  return { ...points, ...Object.fromEntries(final.map(([key, value]) => [key, [[0, value]]])) };
}

/** Parameters that a run should have: the values of its `config.yaml` under their paths; plugins under their names. */
export async function expectedParams(directory: string): Promise<Record<string, string>> {
  const { plugins, ...config } = parse(await readFile(join(directory, 'config.yaml'), 'utf8'));
  const params: Record<string, string> = {};
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`);
    else params[path] = typeof value === 'string' ? value : JSON.stringify(value);
  };
  walk(config, '');
  for (const { use, ...options } of plugins) walk(options, `plugins.${use}`);
  return { ...params, plugins: plugins.map(({ use }: { use: string }) => use).join(', ') };
}

/** Tags by which a run's directory says how it was made. */
export async function expectedTags(directory: string): Promise<Record<string, string>> {
  const summary = await json<RunSummary>(directory, 'summary.json');
  return {
    'tailmix.method': summary.method,
    'tailmix.dataset': summary.dataset,
    'tailmix.seed': String(summary.seed),
    'tailmix.subset_seed': String(summary.subsetSeed),
    'tailmix.subset_hash': summary.subsetHash,
    'tailmix.config_hash': summary.configHash,
    'tailmix.backend': summary.backend,
    'tailmix.step_mode': summary.stepMode,
    'tailmix.precision': summary.precision,
    'tailmix.version': summary.tailmix,
    'tailmix.status': summary.status,
  };
}

/** Files of a run directory that MLflow should have, by their path there: SHA-256. */
export async function expectedArtifacts(directory: string): Promise<Record<string, string>> {
  const kept = ['config.yaml', 'plan.txt', 'subset.json', 'metrics.jsonl', 'summary.json'];
  // Its other files hold the same as data.
  const reports = ['index.html', 'curves.svg', 'confusion.svg'].map((file) => `report/${file}`);
  const files = [...kept, ...reports].map((file) => [file, file]);
  files.push(['model_summary.txt', 'mlflow/model_summary.txt'], ['per_class.json', 'mlflow/per_class.json']);
  const hash = async (file: string) =>
    createHash('sha256')
      .update(await readFile(join(directory, file)))
      .digest('hex');
  return Object.fromEntries(await Promise.all(files.map(async ([path, file]) => [path!, await hash(file!)])));
}
