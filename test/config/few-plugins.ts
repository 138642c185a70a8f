import { registry as all, defaults as allDefaults } from '../../plugins/index.ts';
import type { PluginEntry, PluginRegistry } from '../../src/config/types.ts';

/** A registry that stays as it is when plugins are added, for messages that list it. */
export const registry: PluginRegistry = Object.fromEntries(
  ['checkpoint', 'drw', 'lr-schedule', 'mixup', 'progress', 'remix', 'tracking'].map((name) => [name, all[name]!]),
);

/** Those of them that run unasked. */
export const defaults: readonly PluginEntry[] = allDefaults.filter((entry) => 'use' in entry && entry.use in registry);
