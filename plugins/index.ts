import type { PluginEntry, PluginRegistry } from 'tailmix';

/** Built-in plugins by the name that `use:` has: a written list, loaded when used. */
export const registry: PluginRegistry = {
  'balanced-mixup': () => import('./balanced-mixup/index.ts'),
  'balanced-softmax': () => import('./balanced-softmax/index.ts'),
  bbn: () => import('./bbn/index.ts'),
  cdt: () => import('./cdt/index.ts'),
  checkpoint: () => import('./checkpoint/index.ts'),
  choose: () => import('./choose/index.ts'),
  cmo: () => import('./cmo/index.ts'),
  'cross-entropy': () => import('./cross-entropy/index.ts'),
  cutmix: () => import('./cutmix/index.ts'),
  drs: () => import('./drs/index.ts'),
  drw: () => import('./drw/index.ts'),
  'early-stopping': () => import('./early-stopping/index.ts'),
  ema: () => import('./ema/index.ts'),
  focal: () => import('./focal/index.ts'),
  'focal-sigmoid': () => import('./focal-sigmoid/index.ts'),
  gcl: () => import('./gcl/index.ts'),
  'grad-accumulation': () => import('./grad-accumulation/index.ts'),
  'grad-clip': () => import('./grad-clip/index.ts'),
  'label-aware-smoothing': () => import('./label-aware-smoothing/index.ts'),
  'label-smoothing': () => import('./label-smoothing/index.ts'),
  ldam: () => import('./ldam/index.ts'),
  'logit-adjustment': () => import('./logit-adjustment/index.ts'),
  'lr-schedule': () => import('./lr-schedule/index.ts'),
  lws: () => import('./lws/index.ts'),
  mamix: () => import('./mamix/index.ts'),
  'manifold-mixup': () => import('./manifold-mixup/index.ts'),
  mixup: () => import('./mixup/index.ts'),
  progress: () => import('./progress/index.ts'),
  remix: () => import('./remix/index.ts'),
  resample: () => import('./resample/index.ts'),
  reweight: () => import('./reweight/index.ts'),
  sam: () => import('./sam/index.ts'),
  'tau-norm': () => import('./tau-norm/index.ts'),
  tracking: () => import('./tracking/index.ts'),
  unimix: () => import('./unimix/index.ts'),
  vs: () => import('./vs/index.ts'),
};

/** Plugins that run unasked, after those of the config. An entry of the same name configures one; `enabled: false` ends it. */
export const defaults: readonly PluginEntry[] = [{ use: 'progress' }, { use: 'tracking' }, { use: 'checkpoint' }];
