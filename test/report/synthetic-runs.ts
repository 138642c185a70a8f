import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createEvaluator } from '../../src/metrics/evaluator.ts';
import { summarizeEpochs, withoutConfusion } from '../../src/metrics/summary.ts';
import type { EpochMetrics, Evaluation, RunSummary } from '../../src/metrics/types.ts';
import { randomStream } from '../../src/random.ts';

/** A run that never was: its predictions are drawn, not trained. */
export interface SyntheticRun {
  method: string;
  seed: number;
  /** How strongly the method lifts the tail; 0: not at all, 1: head and tail alike. */
  tailLift: number;
  classes?: readonly string[];
  /** From the largest class to the smallest. */
  imageCounts?: [number, number];
  testPerClass?: number;
  epochs?: number;
  plugins?: ({ use: string } & Record<string, unknown>)[];
  /** Written over the summary. */
  summary?: Partial<RunSummary>;
  /** Written over the top level of the configuration. */
  config?: Record<string, unknown>;
}

export const digits = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/** Writes a synthetic run directory under `root` and returns its path. Equal arguments give equal files. */
export async function writeSyntheticRun(root: string, run: SyntheticRun): Promise<string> {
  const { method, seed, classes = digits, epochs = 12, plugins = [] } = run;
  const [most, least] = run.imageCounts ?? [800, 8];
  const C = classes.length;
  const classCounts = classes.map((_, c) => Math.floor(most * (least / most) ** (c / (C - 1))));
  const lines: EpochMetrics[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const progress = 1 - Math.exp((-3.2 * epoch) / epochs);
    const draws = randomStream(seed, method, epoch);
    lines.push({
      epoch,
      step: epoch * 20,
      learningRate: 0.1,
      train: {
        loss: 2.4 * (1 - progress) + 0.15 + 0.05 * draws.uniform() + 0.4 * run.tailLift,
        accuracy: Math.min(1, 0.25 + 0.7 * progress - 0.2 * run.tailLift + 0.02 * draws.uniform()),
        relabelledShare: plugins.some(({ use }) => use === 'remix') ? 0.3 + 0.02 * draws.uniform() : null,
        penalties: {},
      },
      test: evaluation(run, classes, classCounts, epoch, progress),
      validation: null,
      seconds: 3.1 + draws.uniform(),
      waitSeconds: 0,
      imagesPerSecond: 900 - 60 * plugins.length + 40 * draws.uniform(),
    });
  }
  const name = method.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const summary: RunSummary = {
    name,
    method,
    seed,
    subsetSeed: 0,
    subsetHash: '5b2c9f0a7d1e4c3388aa01bb22cc33dd44ee55ff66aa77bb88cc99dd00ee11ff',
    configHash: 'c0ffee',
    status: 'finished',
    reason: null,
    dataset: 'digits',
    classes,
    classCounts,
    groups: { manyAbove: 100, fewBelow: 20 },
    epochs,
    ...summarizeEpochs(lines),
    backend: 'native',
    stepMode: 'captured',
    stepModeReason: null,
    precision: 'fp32',
    precisionReason: null,
    seconds: lines.reduce((sum, { seconds }) => sum + seconds, 4),
    tailmix: '0.1.0',
    versions: { node: '20.19.0', tensorflow: '2.21.0' },
    ...run.summary,
  };
  const config = {
    name,
    method,
    seed,
    data: { name: 'digits', imbalance: { type: 'exp', ratio: most / least }, subsetSeed: 0 },
    model: { name: 'small-cnn' },
    train: { epochs, batchSize: 128, optimizer: { name: 'sgd', learningRate: 0.1 } },
    plugins,
    ...run.config,
  };
  const directory = join(root, `${name}-20250131-09300${seed}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config.yaml'), stringify(config));
  await writeFile(join(directory, 'plan.txt'), `${plugins.map(({ use }) => use).join('\n')}\n`);
  const line = (epoch: EpochMetrics) =>
    `${JSON.stringify({ ...epoch, test: epoch.test && withoutConfusion(epoch.test) })}\n`;
  await writeFile(join(directory, 'metrics.jsonl'), lines.map(line).join(''));
  await writeFile(join(directory, 'summary.json'), JSON.stringify(summary, null, 2));
  return directory;
}

/** Logits that favour the right class, the more so the more it was seen, and classes next to it. */
function evaluation(
  { seed, method, tailLift, testPerClass = 100 }: SyntheticRun,
  classes: readonly string[],
  classCounts: readonly number[],
  epoch: number,
  progress: number,
): Evaluation {
  const C = classes.length;
  const evaluator = createEvaluator({ classes, classCounts });
  const draws = randomStream(seed, method, 'test', epoch);
  const prior = classCounts.map((count) => (1 - tailLift) * 0.55 * Math.log(count / classCounts[0]!));
  const logits = new Float32Array(C * testPerClass);
  for (let c = 0; c < C; c++) {
    for (let i = 0; i < testPerClass; i++) {
      for (let k = 0; k < C; k++) {
        const near = k === c ? 3.4 : Math.abs(k - c) === 1 ? 0.9 : 0;
        logits[i * C + k] = progress * near + prior[k]! + draws.normal();
      }
    }
    evaluator.add(logits, new Int32Array(testPerClass).fill(c));
  }
  return evaluator.result();
}

/** Four methods as `npm start` compares them, each with the given seeds. */
export async function writeSyntheticSweep(root: string, seeds: readonly number[]): Promise<void> {
  const mixup = { use: 'mixup', alpha: 1 };
  const remix = { use: 'remix', kappa: 3, tau: 0.5 };
  const methods = [
    { method: 'ERM', tailLift: 0, plugins: [] },
    { method: 'Mixup', tailLift: 0.1, plugins: [mixup] },
    { method: 'Remix', tailLift: 0.4, plugins: [mixup, remix] },
    { method: 'Remix-DRW', tailLift: 0.75, plugins: [mixup, remix, { use: 'drw', deferUntil: 0.8 }] },
  ];
  for (const seed of seeds) for (const method of methods) await writeSyntheticRun(root, { ...method, seed });
}
