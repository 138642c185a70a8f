import { fileURLToPath } from 'node:url';
import balancedMixup from '../../plugins/balanced-mixup/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import type { Plugin } from '../../src/plugin.ts';

/** A trained network for squares of four classes; make.ts beside it made it. */
const teacher = fileURLToPath(new URL('teacher/checkpoints/epoch-0001.safetensors', import.meta.url));

/** Settings to try each plugin with, and what it needs beside it. */
export const settings: Record<
  string,
  {
    options: Record<string, unknown>;
    beside?: readonly Plugin[];
    /** Options that name what is read: those of an example name what is not there. */
    reads?: Record<string, unknown>;
  }
> = {
  adaptformer: { options: { dimension: 2 } },
  'balanced-mixup': { options: { alpha: 0.5 } },
  'balanced-softmax': { options: {} },
  bbn: { options: { weights: 'effective-number', schedule: 'cosine' } },
  bcl: { options: { hidden: 8, dimension: 4, temperature: 0.2 } },
  bitfit: { options: {} },
  cdt: { options: { gamma: 0.3 } },
  checkpoint: { options: { every: 1, keep: 1, best: 'test', metric: 'accuracy' } },
  'class-mean-head': { options: {} },
  choose: {
    options: {
      of: [{ plugin: mixup(), weight: 2 }, { plugin: cutmix({ probability: 0.5 }) }, { plugin: balancedMixup() }],
    },
  },
  cmo: { options: { gamma: 0.5, probability: 0.8, skipFirst: 0, skipLast: 0 } },
  'cross-entropy': { options: {} },
  'curriculum-augmentation': { options: { levels: 4, accept: 0.5 } },
  cutmix: { options: { alpha: 0.5, probability: 0.8 } },
  'deep-smote': { options: { deferUntil: 1, codes: 4, width: 2, neighbours: 2, learningRate: 0.01 } },
  distill: { options: { alpha: 0.3, temperature: 2, power: 0.5, teacher }, reads: { teacher } },
  drs: { options: { deferUntil: 1, weights: 'class-uniform' } },
  drw: { options: { deferUntil: 1, beta: 0.99 } },
  'early-stopping': { options: { patience: 3, minDelta: 0.01, metric: 'loss' } },
  ema: { options: { decay: 0.5, warmup: false } },
  'etf-head': { options: {} },
  experts: { options: { method: 'ride', count: 2, deferUntil: 1, diversity: 0.2, shared: 'stage1' } },
  'feature-smote': { options: { neighbours: 2, weight: 0.5 } },
  focal: { options: { gamma: 1 } },
  'focal-sigmoid': { options: { gamma: 1, initialBias: 'none' } },
  gcl: { options: { noise: 1, margin: 0.1, scale: 20 } },
  glmc: { options: { dimension: 4, weight: 2, draw: 1 } },
  'grad-accumulation': { options: { steps: 3 } },
  'grad-clip': { options: { by: 'value', limit: 0.01 } },
  'infinite-class-mixup': { options: { axes: 'classes' }, beside: [mixup()] },
  'label-aware-smoothing': { options: { head: 0.4, tail: 0.1, shape: 'linear' } },
  'label-smoothing': { options: { epsilon: 0.2 } },
  'layer-norm-tuning': { options: {} },
  ldam: { options: { maxMargin: 0.3, scale: 10 } },
  'logit-adjustment': { options: { mode: 'post-hoc', tau: 1.5 } },
  'logit-norm': { options: { tau: 0.5 } },
  lookahead: { options: { steps: 2, alpha: 0.8 } },
  lora: { options: { rank: 2, alpha: 4 } },
  'lr-schedule': { options: { schedule: 'cosine', warmup: 1, warmupBy: 'step', minimum: 0.001 } },
  lws: { options: {} },
  m2m: {
    options: { classifier: teacher, deferUntil: 0, beta: 0.5, steps: 2, confidence: 0.3 },
    reads: { classifier: teacher },
  },
  mamix: { options: { omega: -0.5 }, beside: [mixup()] },
  'manifold-mixup': { options: { stages: ['stage1', 'input'], alpha: 1 } },
  'meta-weight-net': { options: { hidden: 6, learningRate: 0.01 } },
  mixup: { options: { alpha: 0.4, lambda: 'sample' } },
  mlflow: { options: { experiment: 'tests', every: 1, checkpoints: 'all', tags: { who: 'suite' } } },
  ncl: { options: { count: 2, hard: 0.5, mutual: 0.4 } },
  paco: { options: { queue: 12, hidden: 8, dimension: 4, momentum: 0.9 } },
  proco: { options: { hidden: 8, dimension: 4, temperature: 0.2 } },
  muon: { options: { steps: 3, scale: 'rms' } },
  progress: { options: { style: 'none' } },
  'puzzle-mix': { options: { alpha: 0.5, lambda: 'sample', blocks: [2] } },
  regmixup: { options: { weight: 0.5 }, beside: [mixup()] },
  remix: { options: { kappa: 2, tau: 0.8 }, beside: [mixup()] },
  resample: { options: { weights: 'square-root' } },
  reweight: { options: { weights: 'inverse', gamma: 0.5 } },
  sam: { options: { rho: 0.5, adaptive: true } },
  'schedule-free': { options: { momentum: 0.7, normSteps: 1 } },
  ssf: { options: { at: ['block1/mlp', 'block*/norm*'] } },
  supcon: { options: { hidden: 8, dimension: 4, augment: [{ name: 'flip' }] } },
  swa: { options: { start: 0.3, every: 2 } },
  'tau-norm': { options: { tau: 0.7, bias: 'keep' } },
  tracking: { options: {} },
  temperature: { options: {} },
  tta: { options: { crops: 'five', padding: 2, average: 'probabilities' } },
  unimix: { options: { alpha: 1, tau: -1 } },
  vpt: { options: { kind: 'shallow', tokens: 3 } },
  vs: { options: { gamma: 0.15, tau: 1.25 } },
  'weight-balancing': { options: { limit: 0.5, every: 'epoch' } },
};
