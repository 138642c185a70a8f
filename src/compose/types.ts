import type { TransformOptions } from '../data/transforms/options.ts';
import type { Hooks } from '../hooks.ts';
import type { Capability, Plugin, PluginState } from '../plugin.ts';
import type { GroupImages } from '../row-groups.ts';
import type { InputSpec } from '../step/types.ts';
import type { TapTiming } from './guard.ts';

/** Something the user should know before the run is paid for. */
export interface Warning {
  code: string;
  /** Who warns; `model` or `data` where it is that section of the config. */
  plugin: string;
  message: string;
}

/** A group of rows as a run has it: a view, of the trained rows or of those of a group (`of`, as `<plugin>/<group>`), or a draw. */
export type DeclaredRows = {
  /** Transforms of its own; null: those of the run. */
  augment: readonly TransformOptions[] | null;
} & (
  | { view: true; of?: string }
  | { view: false; from: 'train' | 'validation'; weights(epoch: number, images: GroupImages): Float64Array }
);

/** Plugins put together: their taps in order, and everything they declared. */
export interface Composition {
  hooks: Hooks;
  plugins: readonly Plugin[];
  /** Provider of each capability that has one. */
  provides: Partial<Record<Capability, string>>;
  /** Declared inputs as `<plugin>/<input>`. */
  inputs: Record<string, InputSpec>;
  /** Values by variant name; the first is the default. */
  variants: Record<string, readonly string[]>;
  /** Groups of rows by `<plugin>/<group>`, in the order of the pool. */
  groups: Record<string, DeclaredRows>;
  /** By plugin. */
  states: Record<string, PluginState>;
  timings: readonly TapTiming[];
  warnings: readonly Warning[];
}
