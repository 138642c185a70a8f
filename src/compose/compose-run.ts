import type { CountSummary } from '../data/types.ts';
import { internal } from '../errors.ts';
import { checkStart, type ExtendedModel } from '../models/transfer.ts';
import type { Run, RunInfo } from '../run.ts';
import { type Stage, spansRun, stagesOf } from '../train/phases.ts';
import { describeRun, type TrainerOptions } from '../train/prepare.ts';
import { type Composition, compose } from './compose.ts';
import { formatPlan, formatStages } from './plan.ts';
import { checkSpanning, type Place } from './span.ts';

/** A stage with its plugins applied. */
export type ComposedStage<Part> = Stage &
  Part & {
    composition: Composition;
    /** Null for a run that has one stage. */
    place: Place | null;
  };

/** A run with the plugins of all its stages applied. */
export interface ComposedRun<Part> {
  /** As plugins that span the run see it. */
  info: RunInfo;
  stages: ComposedStage<Part>[];
  /** Plugins that span several stages; null for a run that has one. */
  spanning: Composition | null;
  plan: string;
}

/**
 * Applies the plugins of every stage, and those that span all of them, so that whatever is wrong in a later stage is
 * known before the first one is trained.
 *
 * @param parts each stage, described or prepared.
 * @param run asked for when something is observed.
 * @throws {TailmixError} what `compose` throws, SPANS_STAGES, MODEL_WEIGHTS, INIT_MISMATCH.
 */
export function composeRun<Part extends { info: RunInfo; models: ExtendedModel }>(
  { plugins = [], known }: TrainerOptions,
  parts: readonly (Stage & Part)[],
  { run, unread = null }: { run(): Run; unread?: CountSummary | null },
): ComposedRun<Part> {
  const [first] = parts as readonly [Stage & Part];
  if (first.stage === null) {
    const composition = compose(plugins, first.info, known);
    const plan = formatPlan(composition, first.info, unread);
    return { info: first.info, stages: [{ ...first, composition, place: null }], spanning: null, plan };
  }
  const numbered = parts.map((part) => {
    const { batchSize, stepsPerEpoch } = part.info;
    return { ...part, info: { ...part.info, stage: { ...part.stage!, batchSize, stepsPerEpoch } } };
  });
  const stagesInfo = numbered.map(({ info }) => info.stage);
  const epochs = stagesInfo.reduce((sum, stage) => sum + stage.epochs, 0);
  const { stage: _, ...whole } = numbered[0]!.info;
  const info: RunInfo = { ...whole, epochs, stages: stagesInfo };
  const spanning = compose(plugins.filter(spansRun), info, known);
  checkSpanning(spanning);
  const stages = numbered.map((part, i) => {
    if (i > 0) checkFollows(part, numbered[i - 1]!);
    const earlier = stagesInfo.slice(0, i);
    const steps = earlier.reduce((sum, stage) => sum + stage.epochs * stage.stepsPerEpoch, 0);
    const place = { stage: part.info.stage.name, epochs: part.before, steps };
    const composition = compose(part.options.plugins ?? [], part.info, known, { composition: spanning, place, run });
    return { ...part, composition, place };
  });
  return { info, stages, spanning, plan: formatStages(spanning, info, stages, unread) };
}

/** Refuses a stage whose model cannot start from that of the one before. */
function checkFollows({ models, info }: { models: ExtendedModel; info: RunInfo }, before: { models: ExtendedModel }) {
  const shapes = Object.fromEntries(before.models.model.weights.map(({ name, shape }) => [name, shape]));
  checkStart(models, shapes, { source: info.start.init!, reset: info.start.reset });
}

/**
 * What would run, without TensorFlow and, for known data sets, without data. Where the class counts come with data that
 * is not there, `unread` says what is known of them, and those of `info` are a stand-in of the same range.
 *
 * @returns `composition` of the first stage; `stages` have them all, and a run that says nothing of stages has one.
 */
export async function planRun(options: TrainerOptions): Promise<{
  info: RunInfo;
  composition: Composition;
  stages: { name: string | null; info: RunInfo; composition: Composition }[];
  plan: string;
  unread: CountSummary | null;
}> {
  const described = await Promise.all(
    stagesOf(options).map(async (stage) => ({ ...stage, ...(await describeRun(stage.options)) })),
  );
  const { unread } = described[0]!;
  const { info, stages, plan } = composeRun(options, described, {
    unread,
    run: () => {
      throw internal('a plan is no run');
    },
  });
  return {
    info,
    composition: stages[0]!.composition,
    stages: stages.map(({ stage, ...part }) => ({
      name: stage?.name ?? null,
      info: part.info,
      composition: part.composition,
    })),
    plan,
    unread,
  };
}
