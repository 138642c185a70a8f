import balancedMixup from '../../plugins/balanced-mixup/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import type { Plugin } from '../../src/plugin.ts';

/** Settings to try each plugin with, and what it needs beside it. */
export const settings: Record<string, { options: Record<string, unknown>; beside?: readonly Plugin[] }> = {
  'balanced-mixup': { options: { alpha: 0.5 } },
  'balanced-softmax': { options: {} },
  bbn: { options: { weights: 'effective-number', schedule: 'cosine' } },
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
  cutmix: { options: { alpha: 0.5, probability: 0.8 } },
  drs: { options: { deferUntil: 1, weights: 'class-uniform' } },
  drw: { options: { deferUntil: 1, beta: 0.99 } },
  'early-stopping': { options: { patience: 3, minDelta: 0.01, metric: 'loss' } },
  ema: { options: { decay: 0.5, warmup: false } },
  focal: { options: { gamma: 1 } },
  'focal-sigmoid': { options: { gamma: 1, initialBias: 'none' } },
  gcl: { options: { noise: 1, margin: 0.1, scale: 20 } },
  'grad-accumulation': { options: { steps: 3 } },
  'grad-clip': { options: { by: 'value', limit: 0.01 } },
  'label-aware-smoothing': { options: { head: 0.4, tail: 0.1, shape: 'linear' } },
  'label-smoothing': { options: { epsilon: 0.2 } },
  ldam: { options: { maxMargin: 0.3, scale: 10 } },
  'logit-adjustment': { options: { mode: 'post-hoc', tau: 1.5 } },
  'lr-schedule': { options: { schedule: 'cosine', warmup: 1, warmupBy: 'step', minimum: 0.001 } },
  lws: { options: {} },
  mamix: { options: { omega: -0.5 }, beside: [mixup()] },
  'manifold-mixup': { options: { stages: ['stage1', 'input'], alpha: 1 } },
  mixup: { options: { alpha: 0.4, lambda: 'sample' } },
  mlflow: { options: { experiment: 'tests', every: 1, checkpoints: 'all', tags: { who: 'suite' } } },
  progress: { options: { style: 'none' } },
  remix: { options: { kappa: 2, tau: 0.8 }, beside: [mixup()] },
  resample: { options: { weights: 'square-root' } },
  reweight: { options: { weights: 'inverse', gamma: 0.5 } },
  sam: { options: { rho: 0.5, adaptive: true } },
  'tau-norm': { options: { tau: 0.7, bias: 'keep' } },
  tracking: { options: {} },
  unimix: { options: { alpha: 1, tau: -1 } },
  vs: { options: { gamma: 0.15, tau: 1.25 } },
};
