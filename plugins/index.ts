import type { PluginEntry, PluginRegistry } from 'tailmix';

/** Built-in plugins by the name that `use:` has: a written list, loaded when used. */
export const registry: PluginRegistry = {
  checkpoint: () => import('./checkpoint/index.ts'),
  drw: () => import('./drw/index.ts'),
  'lr-schedule': () => import('./lr-schedule/index.ts'),
  mixup: () => import('./mixup/index.ts'),
  progress: () => import('./progress/index.ts'),
  remix: () => import('./remix/index.ts'),
  resample: () => import('./resample/index.ts'),
  reweight: () => import('./reweight/index.ts'),
  tracking: () => import('./tracking/index.ts'),
};

/** Plugins that run unasked, after those of the config. An entry of the same name configures one; `enabled: false` ends it. */
export const defaults: readonly PluginEntry[] = [{ use: 'progress' }, { use: 'tracking' }, { use: 'checkpoint' }];
