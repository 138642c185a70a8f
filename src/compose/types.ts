import type { Hooks } from '../hooks.ts';
import type { Capability, Plugin, PluginState } from '../plugin.ts';
import type { InputSpec } from '../step/types.ts';
import type { TapTiming } from './guard.ts';

/** Something the user should know before the run is paid for. */
export interface Warning {
  code: string;
  /** Who warns; `model` or `data` where it is that section of the config. */
  plugin: string;
  message: string;
}

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
  /** By plugin: image weights of each class, `[C]`, in an epoch. */
  draws: Record<string, (epoch: number) => Float64Array>;
  /** By plugin. */
  states: Record<string, PluginState>;
  timings: readonly TapTiming[];
  warnings: readonly Warning[];
}
