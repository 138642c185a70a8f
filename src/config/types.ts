import type { z } from 'zod';
import type { ModelChoice } from '../models/definition.ts';
import type { Plugin, PluginFactory } from '../plugin.ts';
import type { OwnSource } from '../tracking/sources.ts';
import type { PhaseOptions } from '../train/phases.ts';
import type { runOptions } from './schema.ts';

/** A validated run configuration with all defaults in, before plugin entries are loaded. */
export type RunOptions = z.output<typeof runOptions>;

/** A plugin entry of a config: `{ use: 'remix', kappa: 3 }`, or the result of a call in a TypeScript config. */
export type PluginEntry = ({ use: string } & Record<string, unknown>) | Plugin;

/** Built-in plugins by name, loaded when used. `plugins/index.ts` is the written list; core names none of them. */
export type PluginRegistry = Readonly<Record<string, () => Promise<{ default: PluginFactory }>>>;

/** What reading a configuration gives. */
export interface ResolvedConfig {
  options: RunOptions;
  /** In config order. */
  plugins: Plugin[];
  /** As the trainer takes them; null for a run that says nothing of phases. */
  phases: PhaseOptions[] | null;
  /** The model, where it is one of the user's own: `options.model` is then as written. */
  model?: ModelChoice;
  /** As logged: defaults in, `${env:NAME}` as its placeholder, keys in schema order. JSON. */
  resolved: Record<string, unknown>;
  /** SHA-256 of `resolved`, hex. */
  hash: string;
  /** Files of the user's own that were loaded: a run keeps them. */
  modules: readonly OwnSource[];
}
