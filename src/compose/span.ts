import type { HookName, Hooks } from '../hooks.ts';
import type { EpochMetrics } from '../metrics/types.ts';
import type { Plugin } from '../plugin.ts';
import type { PhaseRun } from '../run.ts';
import type { BatchResult } from '../step/types.ts';
import { spansNotObserving } from './errors.ts';
import type { Composition } from './types.ts';

/** Where a phase stands in its run. */
export interface Place {
  /** Name of the phase. */
  phase: string;
  /** Epochs and steps of the phases before it. */
  epochs: number;
  steps: number;
}

/** Plugins that span a run of several phases, as seen from one of them. */
export interface Spanning {
  composition: Composition;
  place: Place;
}

/** Figures of a phase's epoch as the run counts. */
export const metricsAt = (metrics: EpochMetrics, { phase, epochs, steps }: Place): EpochMetrics => {
  const { epoch, step, ...figures } = metrics;
  return { epoch: epoch + epochs, phase, step: step + steps, ...figures };
};

const resultAt = (result: BatchResult, { epochs, steps }: Place): BatchResult => ({
  ...result,
  epoch: result.epoch + epochs,
  step: result.step + steps,
});

/** Hooks whose taps are told of each phase; those of begin and end are called once a run, by the trainer. */
const TOLD = ['onEpochBegin', 'onEpochEnd', 'onBatchEnd'] as const;

// biome-ignore lint/complexity/noBannedTypes: tapable's own type of a tap's function.
type Taps = readonly { name: string; stage?: number; type: 'sync' | 'async' | 'promise'; fn: Function }[];

/**
 * Adds the taps of plugins that span the run to a phase's hooks, so that both kinds run in one order. What they are told
 * is counted over the run.
 *
 * @param adding - called before each tap with its plugin's name
 */
export function adoptTaps(hooks: Hooks, { composition, place }: Spanning, adding: (plugin: string) => void): void {
  for (const hook of TOLD) {
    for (const { name, stage = 0, type, fn } of composition.hooks[hook].taps as Taps) {
      const told = {
        onEpochBegin: (epoch: number, { whole }: PhaseRun) => fn(epoch + place.epochs, whole),
        onEpochEnd: (metrics: EpochMetrics, { whole }: PhaseRun) => fn(metricsAt(metrics, place), whole),
        onBatchEnd: (result: BatchResult) => fn(resultAt(result, place)),
      }[hook] as () => Promise<void>;
      adding(name);
      if (type === 'promise') (hooks[hook] as Hooks['onEpochEnd']).tapPromise({ name, stage }, told);
      else (hooks[hook] as Hooks['onEpochEnd']).tap({ name, stage }, told);
    }
  }
}

/**
 * Refuses plugins that span phases and would have to be in each: what they decide, build or add is a phase's. Asked of a run
 * of one phase too: its steps may run ahead of those that only observe.
 *
 * @throws {TailmixError} SPANS_PHASES
 */
export function checkSpanning({ hooks, plugins }: Composition): void {
  for (const { definition } of plugins.filter(spansRun)) {
    const { name, provides = [], requires = [] } = definition;
    const declared = (['inputs', 'variants', 'rows', 'extendModel', 'initialWeights', 'adapt'] as const).find(
      (part) => definition[part],
    );
    if (declared !== undefined) throw spansNotObserving(name, `has ${declared}`);
    if (provides.length + requires.length > 0) throw spansNotObserving(name, 'provides or requires something');
    for (const hook of Object.keys(hooks) as HookName[]) {
      const observes = hook.startsWith('on') && hook !== 'onBatch';
      if (!observes && hooks[hook].taps.some((tap) => tap.name === name)) throw spansNotObserving(name, `taps ${hook}`);
    }
  }
}

/** Whether a plugin is there once for all phases. */
export const spansRun = ({ definition }: Plugin): boolean => definition.spans === 'run';
