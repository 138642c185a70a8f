import type { PluginEntry, PluginRegistry } from 'tailmix';

/** Built-in plugins by the name that `use:` has: a written list, loaded when used. */
export const registry: PluginRegistry = {
  'balanced-softmax': () => import('./balanced-softmax/index.ts'),
  cdt: () => import('./cdt/index.ts'),
  checkpoint: () => import('./checkpoint/index.ts'),
  'cross-entropy': () => import('./cross-entropy/index.ts'),
  drs: () => import('./drs/index.ts'),
  drw: () => import('./drw/index.ts'),
  focal: () => import('./focal/index.ts'),
  'focal-sigmoid': () => import('./focal-sigmoid/index.ts'),
  gcl: () => import('./gcl/index.ts'),
  ldam: () => import('./ldam/index.ts'),
  'logit-adjustment': () => import('./logit-adjustment/index.ts'),
  'lr-schedule': () => import('./lr-schedule/index.ts'),
  mixup: () => import('./mixup/index.ts'),
  progress: () => import('./progress/index.ts'),
  remix: () => import('./remix/index.ts'),
  resample: () => import('./resample/index.ts'),
  reweight: () => import('./reweight/index.ts'),
  tracking: () => import('./tracking/index.ts'),
  vs: () => import('./vs/index.ts'),
};

/** Plugins that run unasked, after those of the config. An entry of the same name configures one; `enabled: false` ends it. */
export const defaults: readonly PluginEntry[] = [{ use: 'progress' }, { use: 'tracking' }, { use: 'checkpoint' }];
