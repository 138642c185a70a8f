import { randomStream } from '../../src/random.ts';
import type { RunInfo } from '../../src/run.ts';

/** A small run: four classes, the first ten times the last. */
export const smallInfo = (changes: Partial<RunInfo> = {}): RunInfo => ({
  name: 'small',
  seed: 0,
  dataset: 'squares',
  classes: ['a', 'b', 'c', 'd'],
  classCounts: [20, 9, 4, 2],
  trainCount: 35,
  validationCount: 8,
  imageShape: [8, 8, 3],
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  augment: [],
  epochs: 2,
  batchSize: 16,
  stepsPerEpoch: 3,
  modelStages: ['input', 'stage1', 'stage2'],
  featureSize: 8,
  head: null,
  groups: { manyAbove: 10, fewBelow: 5 },
  start: { init: null, reset: [], freeze: [], frozenNorm: 'batch' },
  ...changes,
});

/** Uniform values in −1…1, `[length]`. */
export const uniform = (length: number, ...key: (string | number)[]): Float32Array => {
  const random = randomStream(...key);
  return Float32Array.from({ length }, () => random.uniform() * 2 - 1);
};
