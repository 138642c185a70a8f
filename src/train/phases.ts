import type { z } from 'zod';
import { spansRun } from '../compose/span.ts';
import { withoutStart } from '../models/open.ts';
import type { Plugin } from '../plugin.ts';
import type { PhaseInfo, RunStart } from '../run.ts';
import { phaseTwice, spansInPhase } from './errors.ts';
import { trainOptions } from './options.ts';
import type { TrainerOptions } from './prepare.ts';

/** What a phase of a run has of its own; all else is as the run says. */
export interface PhaseOptions {
  /** Unique. Default: `phase 1`, `phase 2` … */
  name?: string;
  /** Default: `train.epochs`. */
  epochs?: number;
  /** In the place of the run's, but for those that span the run. */
  plugins?: readonly Plugin[];
  /**
   * As `model.reset` and so on: weights of the phase before that are drawn anew, and weights that are not trained. What
   * is frozen in the run is frozen in a phase that says nothing of it; nothing is reset.
   */
  model?: Partial<Omit<RunStart, 'init'>>;
  train?: Partial<Pick<z.input<typeof trainOptions>, 'batchSize' | 'dropLast' | 'reduction' | 'optimizer'>>;
}

/** A phase as a run of its own. */
export interface Phase {
  /** Null for a run that has one phase. */
  phase: Pick<PhaseInfo, 'name' | 'number' | 'epochs'> | null;
  /** Epochs of the phases before it. */
  before: number;
  options: TrainerOptions;
}

/**
 * The phases of a run, each as the options of a run of its own: those that follow start from the one before.
 *
 * @throws {TailmixError} PHASE_TWICE
 */
export function phasesOf(options: TrainerOptions): Phase[] {
  const { phases, resume, ...run } = options;
  if (phases === undefined) return [{ phase: null, before: 0, options }];
  const names = phases.map(({ name }, i) => name ?? `phase ${i + 1}`);
  names.forEach((name, i) => {
    if (names.indexOf(name) !== i) throw phaseTwice(name, names.indexOf(name), i);
  });
  phases.forEach(({ plugins = [] }, i) => {
    const spanning = plugins.find(spansRun);
    if (spanning) throw spansInPhase(spanning.definition.name, i);
  });
  const epochs = phases.map((phase) => phase.epochs ?? trainOptions.parse(run.train ?? {}).epochs);
  return phases.map(({ plugins, model = {}, train }, i) => {
    const before = epochs.slice(0, i).reduce((a, b) => a + b, 0);
    // Also a phase that is over: what it began with is not read again.
    const isResumed = resume !== undefined && (i === 0 || resume.epoch > before);
    return {
      phase: { name: names[i]!, number: i + 1, epochs: epochs[i]! },
      before,
      options: {
        ...run,
        ...(i === 0 ? { start: { ...run.start, ...model } } : startOfLater(run, names[i - 1]!, model)),
        plugins: plugins ?? (run.plugins ?? []).filter((plugin) => !spansRun(plugin)),
        train: { ...run.train, ...train, epochs: epochs[i]! },
        ...(isResumed ? { resume } : {}),
      },
    };
  });
}

/** A phase after the first: it starts from the one before, and resets only what it says itself. */
function startOfLater(
  { model, start = {} }: TrainerOptions,
  from: string,
  own: NonNullable<PhaseOptions['model']>,
): Pick<TrainerOptions, 'model' | 'start'> {
  const { init: _, reset: __, ...kept } = start;
  return { model: withoutStart(model), start: { ...kept, ...own, from: `phase ${JSON.stringify(from)}` } };
}

/** The phase that an epoch of the run is in, or would be; the last one for those after its end. */
export const phaseOfEpoch = <T extends Pick<Phase, 'before'>>(phases: readonly T[], epoch: number): T =>
  phases.findLast(({ before }) => before < epoch) ?? phases[0]!;

/**
 * A trained run's options in the phase of its checkpoint after `epoch`: those of a run that has one phase.
 */
export const optionsAt = (options: TrainerOptions, epoch: number): TrainerOptions =>
  phaseOfEpoch(phasesOf(options), epoch).options;
