import type { EpochMetrics, Evaluation, RunSummary } from '../../src/metrics/types.ts';
import type { Run, Snapshot } from '../../src/run.ts';
import { smallInfo } from './info.ts';

/** An evaluation of four classes with the given accuracies; its confusion matrix is filled in. */
export const evaluation = (accuracy: number, balancedAccuracy = accuracy): Evaluation => ({
  count: 20,
  loss: 1,
  accuracy,
  balancedAccuracy,
  perClass: [accuracy, accuracy, null, accuracy],
  many: accuracy,
  medium: null,
  few: accuracy,
  worstClass: { label: 3, name: 'd', accuracy },
  macroF1: accuracy,
  ece: 0.1,
  reliability: [],
  top5: null,
  confusion: [[0, 0, 1]],
});

/** Metrics of an epoch. */
export const epochMetrics = (epoch: number, changes: Partial<EpochMetrics> = {}): EpochMetrics => ({
  epoch,
  step: 3 * epoch,
  learningRate: 0.1,
  train: { loss: 1 / epoch, accuracy: 0.5, relabelledShare: null, penalties: {} },
  test: evaluation(0.25),
  validation: null,
  seconds: 2,
  waitSeconds: 0.1,
  imagesPerSecond: 17.5,
  ...changes,
});

const smallData = { dataset: 'squares', classes: ['a', 'b', 'c', 'd'], train: 'f01', validation: 'f02', test: 'f03' };

/** A snapshot after an epoch. */
export const snapshotAfter = (epoch: number): Snapshot => ({
  epoch,
  step: 3 * epoch,
  state: {
    'stage1/kernel': { shape: [2, 3], values: Float32Array.of(0.1, -0, 1e-45, 3e38, epoch, -2) },
    'momentum/stage1/kernel': { shape: [2, 3], values: new Float32Array(6).fill(epoch) },
    steps: { shape: [], values: Float32Array.of(7) },
    none: { shape: [0, 4], values: new Float32Array(0) },
  },
  weights: ['stage1/kernel', 'none'],
  plugins: { checkpoint: { best: 0.5 }, other: null },
  history: [epochMetrics(epoch)],
  seconds: 12.5,
  configHash: 'abc',
  data: smallData,
});

/** A run of two epochs that nothing trains, for plugins that look on. */
export function fakeRun(directory: string | null, changes: Partial<Run> = {}): Run {
  const summary: RunSummary = {
    name: 'small',
    method: 'small',
    seed: 0,
    subsetSeed: 0,
    subsetHash: 'f00',
    configHash: 'abc',
    status: 'finished',
    reason: null,
    dataset: 'squares',
    classes: ['a', 'b', 'c', 'd'],
    classCounts: [20, 9, 4, 2],
    groups: { manyAbove: 10, fewBelow: 5 },
    epochs: 2,
    last: evaluation(0.5),
    lastEpoch: 2,
    bestOnTest: null,
    lastFiveMedian: null,
    backend: 'wasm',
    stepMode: 'eager',
    stepModeReason: null,
    precision: 'fp32',
    precisionReason: null,
    seconds: 4,
    tailmix: '0.0.0',
  };
  return {
    info: smallInfo(),
    directory,
    config: { name: 'small', plugins: [{ use: 'remix', kappa: 3 }] },
    configHash: 'abc',
    plan: 'run  small\n',
    write() {},
    resumedFrom: 0,
    epochs: [],
    engine: {
      backend: 'wasm',
      tensorflow: null,
      mode: 'eager',
      reason: null,
      precision: 'fp32',
      precisionReason: null,
    },
    data: smallData,
    subset: { seed: 0, profile: 'exp-10', hash: 'f00', skipped: 0 },
    evaluated: { test: { hash: 'ba5', count: 20 }, validation: null },
    weights: [
      { name: 'stage1/kernel', shape: [2, 3], trained: true },
      { name: 'stage1/mean', shape: [3], trained: false },
    ],
    logits: { test: null, validation: null, prior: 'training' },
    stopped: null,
    interrupted: false,
    stop() {},
    snapshot: () => snapshotAfter(1),
    summary: () => summary,
    ...changes,
  };
}
