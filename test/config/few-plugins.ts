import { registry as all } from '../../plugins/index.ts';
import type { PluginRegistry } from '../../src/config/types.ts';

/** A registry that stays as it is when plugins are added, for messages that list it. */
export const registry: PluginRegistry = Object.fromEntries(
  ['checkpoint', 'drw', 'lr-schedule', 'mixup', 'progress', 'remix', 'tracking'].map((name) => [name, all[name]!]),
);
