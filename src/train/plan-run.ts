import { composeRun } from '../compose/compose-run.ts';
import type { Composition } from '../compose/types.ts';
import type { CountSummary } from '../data/types.ts';
import type { Model } from '../models/types.ts';
import type { RunInfo } from '../run.ts';
import { describeRun } from './describe-run.ts';
import { phasesOf } from './phases.ts';
import { planParts } from './plan-parts.ts';
import type { TrainerOptions } from './prepare.ts';
import { withPrepared } from './prepared.ts';

/**
 * What would run, without TensorFlow and, for known data sets, without data. Where the class counts come with data that
 * is not there, `unread` says what is known of them, and those of `info` are a stand-in of the same range.
 *
 * @returns `model`, with what plugins added to it, and `composition` of the first phase; `phases` have them all, and a run that says nothing of phases has one.
 */
export async function planRun(given: TrainerOptions): Promise<{
  info: RunInfo;
  model: Model;
  composition: Composition;
  phases: { name: string | null; info: RunInfo; composition: Composition }[];
  plan: string;
  /** The plan without its hooks. */
  brief: string;
  unread: CountSummary | null;
}> {
  const options = await withPrepared(given);
  const described = await Promise.all(
    phasesOf(options).map(async (phase) => ({ ...phase, ...(await describeRun(phase.options)) })),
  );
  const { unread } = described[0]!;
  const { info, phases, plan, brief } = composeRun(options, described, unread, planParts);
  return {
    info,
    model: phases[0]!.models.model,
    composition: phases[0]!.composition,
    phases: phases.map(({ phase, ...part }) => ({
      name: phase?.name ?? null,
      info: part.info,
      composition: part.composition,
    })),
    plan,
    brief,
    unread,
  };
}
