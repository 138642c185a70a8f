import type { CountSummary } from '../data/types.ts';
import { checkStart, type ExtendedModel } from '../models/transfer.ts';
import type { Plugin, PluginDefinition } from '../plugin.ts';
import type { PhaseInfo, RunInfo } from '../run.ts';
import { MIX } from '../step/batch.ts';
import { mixStage } from '../step/inputs.ts';
import { compose } from './compose.ts';
import { noSteps, pairsOfFeatures, unevenReplicas } from './errors.ts';
import { formatBrief, formatPhases, formatPlan, type PlanLines } from './plan.ts';
import { checkSpanning, type Place, spansRun } from './span.ts';
import type { Composition, Warning } from './types.ts';

/** A phase before its plugins are applied. */
export interface PhasePart {
  /** Null for a run that has one phase. */
  phase: Pick<PhaseInfo, 'name' | 'number' | 'epochs'> | null;
  /** Epochs of the phases before it. */
  before: number;
  options: { plugins?: readonly Plugin[] };
  info: RunInfo;
  models: ExtendedModel;
  /** What has no effect in the run's own options. */
  warnings: readonly Warning[];
}

/** A phase with its plugins applied. */
export type ComposedPhase<Part> = Part & {
  composition: Composition;
  /** Null for a run that has one phase. */
  place: Place | null;
};

/** A run with the plugins of all its phases applied. */
export interface ComposedRun<Part> {
  /** As plugins that span the run see it. */
  info: RunInfo;
  phases: ComposedPhase<Part>[];
  /** Plugins that span several phases; null for a run that has one. */
  spanning: Composition | null;
  plan: string;
  /** The plan without its hooks. */
  brief: string;
}

/**
 * Applies the plugins of every phase, and those that span all of them, so that whatever is wrong in a later phase is
 * known before the first one is trained.
 *
 * @param parts - each phase, described or prepared.
 * @param more - lines of the plan about a phase beside those on its hooks, as title and text.
 * @throws {TailmixError} what `compose` throws, NO_STEPS, REPLICAS_UNEVEN, PAIRS_FEATURES, SPANS_PHASES, MODEL_WEIGHTS, INIT_MISMATCH.
 */
export function composeRun<Part extends PhasePart>(
  { plugins = [], known }: { plugins?: readonly Plugin[]; known?: readonly PluginDefinition[] },
  parts: readonly Part[],
  unread: CountSummary | null = null,
  more: (phase: ComposedPhase<Part>) => PlanLines = () => [],
): ComposedRun<Part> {
  const [first] = parts as readonly [Part];
  for (const { info, phase } of parts) {
    if (info.stepsPerEpoch === 0) throw noSteps(info, phase);
    checkReplicas(info, phase);
  }
  const warned = (composition: Composition): Composition => ({
    ...composition,
    warnings: [...first.warnings, ...composition.warnings],
  });
  if (first.phase === null) {
    const composition = warned(compose(plugins, first.info, known));
    checkSpanning(composition);
    checkPairs(composition, first.info);
    const phases = [{ ...first, composition, place: null }];
    const plan = formatPlan(composition, first.info, unread, more(phases[0]!));
    return { info: first.info, phases, spanning: null, plan, brief: formatBrief(first.info, phases, unread) };
  }
  const numbered = parts.map((part) => {
    const { batchSize, stepsPerEpoch } = part.info;
    return { ...part, info: { ...part.info, phase: { ...part.phase!, batchSize, stepsPerEpoch } } };
  });
  const phasesInfo = numbered.map(({ info }) => info.phase);
  const epochs = phasesInfo.reduce((sum, phase) => sum + phase.epochs, 0);
  const { phase: _, ...whole } = numbered[0]!.info;
  const info: RunInfo = { ...whole, epochs, phases: phasesInfo };
  const spanning = compose(plugins.filter(spansRun), info, known);
  checkSpanning(spanning);
  const phases = numbered.map((part, i) => {
    if (i > 0) checkFollows(part, numbered[i - 1]!);
    const earlier = phasesInfo.slice(0, i);
    const steps = earlier.reduce((sum, phase) => sum + phase.epochs * phase.stepsPerEpoch, 0);
    const place = { phase: part.info.phase.name, epochs: part.before, steps };
    const composition = compose(part.options.plugins ?? [], part.info, known, { composition: spanning, place });
    checkPairs(composition, part.info);
    return { ...part, composition: i === 0 ? warned(composition) : composition, place };
  });
  const planned = phases.map((phase) => ({ ...phase, more: more(phase) }));
  const [plan, brief] = [formatPhases(spanning, info, planned, unread), formatBrief(info, phases, unread)];
  return { info, phases, spanning, plan, brief };
}

/** Refuses a phase whose model cannot start from that of the one before. */
function checkFollows({ models, info }: { models: ExtendedModel; info: RunInfo }, before: { models: ExtendedModel }) {
  const shapes = Object.fromEntries(before.models.model.weights.map(({ name, shape }) => [name, shape]));
  checkStart(models, shapes, { source: info.start.init!, reset: info.start.reset });
}

/**
 * Partners of other replicas have images there, and no features.
 *
 * @throws {TailmixError} PAIRS_FEATURES
 */
function checkPairs({ variants, provides }: Composition, { pairs, replicas = 1 }: RunInfo): void {
  if (pairs !== 'global' || replicas === 1) return;
  const stage = variants[MIX]?.map(mixStage).find((one) => one !== 'input');
  if (stage !== undefined) throw pairsOfFeatures(provides.mix!, stage);
}

/** @throws {TailmixError} REPLICAS_UNEVEN */
function checkReplicas(info: RunInfo, phase: PhasePart['phase']): void {
  const { replicas = 1, batchSize, trainCount, stepsPerEpoch } = info;
  const last = trainCount % batchSize;
  const hasLast = stepsPerEpoch * batchSize > trainCount;
  if (batchSize % replicas > 0) throw unevenReplicas(info, null, phase);
  if (hasLast && last % replicas > 0) throw unevenReplicas(info, last, phase);
}
