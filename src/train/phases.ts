import type { z } from 'zod';
import { trainOptions } from '../config/schema.ts';
import { withoutStart } from '../models/open.ts';
import type { Plugin } from '../plugin.ts';
import type { RunStart, StageInfo } from '../run.ts';
import { spansInStage, stageTwice } from './errors.ts';
import type { TrainerOptions } from './prepare.ts';

/** What a stage of a run has of its own; all else is as the run says. */
export interface StageOptions {
  /** Unique. Default: `stage 1`, `stage 2` … */
  name?: string;
  /** Default: `train.epochs`. */
  epochs?: number;
  /** In the place of the run's, but for those that span the run. */
  plugins?: readonly Plugin[];
  /**
   * As `model.reset` and so on: weights of the stage before that are drawn anew, and weights that are not trained. What
   * is frozen in the run is frozen in a stage that says nothing of it; nothing is reset.
   */
  model?: Partial<Omit<RunStart, 'init'>>;
  train?: Partial<Pick<z.input<typeof trainOptions>, 'batchSize' | 'dropLast' | 'reduction' | 'optimizer'>>;
}

/** A stage as a run of its own. */
export interface Stage {
  /** Null for a run that has one stage. */
  stage: Pick<StageInfo, 'name' | 'number' | 'epochs'> | null;
  /** Epochs of the stages before it. */
  before: number;
  options: TrainerOptions;
}

/** Whether a plugin is there once for all stages. */
export const spansRun = ({ definition }: Plugin): boolean => definition.spans === 'run';

/**
 * The stages of a run, each as the options of a run of its own: those that follow start from the one before.
 *
 * @throws {TailmixError} STAGE_TWICE
 */
export function stagesOf(options: TrainerOptions): Stage[] {
  const { stages, resume, ...run } = options;
  if (stages === undefined) return [{ stage: null, before: 0, options }];
  const names = stages.map(({ name }, i) => name ?? `stage ${i + 1}`);
  names.forEach((name, i) => {
    if (names.indexOf(name) !== i) throw stageTwice(name, names.indexOf(name), i);
  });
  stages.forEach(({ plugins = [] }, i) => {
    const spanning = plugins.find(spansRun);
    if (spanning) throw spansInStage(spanning.definition.name, i);
  });
  const epochs = stages.map((stage) => stage.epochs ?? trainOptions.parse(run.train ?? {}).epochs);
  return stages.map(({ plugins, model = {}, train }, i) => {
    const before = epochs.slice(0, i).reduce((a, b) => a + b, 0);
    const isResumed = resume !== undefined && resume.epoch > before && resume.epoch <= before + epochs[i]!;
    return {
      stage: { name: names[i]!, number: i + 1, epochs: epochs[i]! },
      before,
      options: {
        ...run,
        ...(i === 0 ? { start: { ...run.start, ...model } } : startOfLater(run, names[i - 1]!, model)),
        plugins: plugins ?? (run.plugins ?? []).filter((plugin) => !spansRun(plugin)),
        train: { ...run.train, ...train, epochs: epochs[i]! },
        ...(isResumed || (i === 0 && resume?.epoch === 0) ? { resume } : {}),
      },
    };
  });
}

/** A stage after the first: it starts from the one before, and resets only what it says itself. */
function startOfLater(
  { model, start = {} }: TrainerOptions,
  from: string,
  own: NonNullable<StageOptions['model']>,
): Pick<TrainerOptions, 'model' | 'start'> {
  const { init: _, reset: __, ...kept } = start;
  return { model: withoutStart(model), start: { ...kept, ...own, from: `stage ${JSON.stringify(from)}` } };
}

/** The stage that an epoch of the run is in, or would be; the last one for those after its end. */
export const stageOfEpoch = <T extends Pick<Stage, 'before'>>(stages: readonly T[], epoch: number): T =>
  stages.findLast(({ before }) => before < epoch) ?? stages[0]!;

/**
 * A trained run's options in the stage of its checkpoint after `epoch`: those of a run that has one stage.
 */
export const optionsAt = (options: TrainerOptions, epoch: number): TrainerOptions =>
  stageOfEpoch(stagesOf(options), epoch).options;
