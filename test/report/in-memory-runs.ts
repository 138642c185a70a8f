import { createEvaluator } from '../../src/metrics/evaluator.ts';
import type { Evaluation, RunSummary } from '../../src/metrics/types.ts';
import type { LoadedRun } from '../../src/report/runs.ts';

/** Of each of three classes with ten test images, how many a run got right; wrong ones were taken for class 0 or 1. */
export type Right = [number, number, number];

const classes = ['head', 'middle', 'tail'];
const classCounts = [200, 50, 5];

export function evaluationOf(right: Right): Evaluation {
  const evaluator = createEvaluator({ classes, classCounts });
  right.forEach((hits, label) => {
    for (let i = 0; i < 10; i++) {
      const predicted = i < hits ? label : label === 0 ? 1 : 0;
      const logits = new Float32Array(3);
      logits[predicted] = 1;
      evaluator.add(logits, Int32Array.of(label));
    }
  });
  return evaluator.result();
}

/** A loaded run made up in memory, without a directory. */
export function madeUpRun(
  method: string,
  seed: number,
  right: Right,
  {
    summary = {},
    plugins = [{ use: method }],
    ...rest
  }: Partial<Omit<LoadedRun, 'summary'>> & {
    summary?: Partial<RunSummary>;
    plugins?: ({ use: string } & Record<string, unknown>)[];
  } = {},
): LoadedRun {
  const last = evaluationOf(right);
  const pair = { accuracy: last.accuracy, balancedAccuracy: last.balancedAccuracy };
  const config = { name: method, seed, plugins };
  return {
    path: `runs/${method}-${seed}`,
    epochs: [1, 2, 3].map((epoch) => ({
      epoch,
      train: { loss: 3 / epoch, accuracy: 0.2 * epoch },
      test: epoch === 2 ? null : pair,
      seconds: 2,
      imagesPerSecond: 100 * epoch + seed,
    })),
    config,
    configText: JSON.stringify(config),
    notes: [],
    writtenAt: seed,
    logits: null,
    ...rest,
    summary: {
      name: method,
      method,
      seed,
      subsetSeed: 0,
      subsetHash: 'aaaaaaaaaaaaaaaaaaaa',
      configHash: 'cccc',
      status: 'finished',
      reason: null,
      dataset: 'toy',
      classes,
      classCounts,
      groups: { manyAbove: 100, fewBelow: 20 },
      epochs: 3,
      lastEpoch: 3,
      bestOnTest: { epoch: 3, ...pair },
      lastFiveMedian: pair,
      backend: 'native',
      stepMode: 'captured',
      stepModeReason: null,
      precision: 'fp32',
      precisionReason: null,
      seconds: 10 + seed,
      tailmix: '0.1.0',
      ...summary,
      last,
    },
  };
}
