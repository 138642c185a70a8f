import process from 'node:process';
import { patient, shareSnapshot } from '../cluster/exchange.ts';
import { messageOf, TailmixError } from '../errors.ts';
import type { Snapshot } from '../run.ts';
import { findLatest } from '../tracking/checkpoint.ts';
import { rolledBackTooOften, stateDiverged } from './errors.ts';
import type { Fit } from './fit.ts';
import { loadStates, type Progress, type RunParts, restore } from './open-run.ts';
import type { TrainOptions } from './options.ts';

/** `train.onNaN` of a run that goes back. */
interface RollbackRule {
  /** Of the learning rate, each time. */
  factor: number;
  atMost: number;
}

/** How a run that diverges goes back; null where it stops. */
export function rollbackRule({ onNaN = 'stop' }: Pick<TrainOptions, 'onNaN'>): RollbackRule | null {
  if (onNaN === 'stop') return null;
  return onNaN === 'rollback' ? { factor: 0.5, atMost: 3 } : onNaN;
}

/** What the learning rate is multiplied by: the factor of `train.onNaN` for each time that the run went back. */
export const rateFactor = ({ rollbacks }: Pick<Progress, 'rollbacks'>): number =>
  rollbacks.reduce((product, { factor }) => product * factor, 1);

/**
 * Checks that a run that goes back has something to go on from, before an epoch counts.
 *
 * @throws {TailmixError} STATE_NOT_FINITE
 */
export function checkState({ engine }: Pick<Fit, 'engine'>, epoch: number): void {
  const bad = Object.entries(engine.read()).find(([, values]) => !values.every(Number.isFinite));
  if (bad) throw stateDiverged(epoch, ...bad);
}

/** The snapshot as a checkpoint would give it back: nothing in it changes any more. */
export const frozen = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  plugins: JSON.parse(JSON.stringify(snapshot.plugins)) as Snapshot['plugins'],
});

const DIVERGED: ReadonlySet<string> = new Set([
  'LOSS_NOT_FINITE',
  'PENALTY_NOT_FINITE',
  'GRADIENT_NOT_FINITE',
  'STATE_NOT_FINITE',
]);

/**
 * Takes a run that has diverged back to its newest checkpoint, or to where it began, with a lower learning rate.
 *
 * @param begin - state at the beginning of the run, or of its phase
 * @returns epoch of the run that it goes on after
 * @throws {Error} What it failed of, where it has not diverged or may not go back again.
 */
export async function rollBack(
  error: unknown,
  { parts, progress, begin }: { parts: RunParts; progress: Progress; begin: Snapshot | null },
): Promise<number> {
  const { fit, epochs, rollbacks } = progress;
  const {
    spanning,
    options: { directory, link },
  } = parts;
  const rule = rollbackRule(fit.settings.train);
  if (!rule || !begin || !(error instanceof TailmixError) || !DIVERGED.has(error.code)) throw error;
  if (rollbacks.length >= rule.atMost) throw rolledBackTooOften(error, rollbacks.length, rateFactor(progress));
  const done = epochs.at(-1)?.epoch ?? 0;
  const latest = directory === undefined ? null : await findLatest(directory);
  const isUsable = latest !== null && latest.snapshot.epoch > begin.epoch && latest.snapshot.epoch <= done;
  const found = isUsable ? latest.snapshot : null;
  // All processes of a cluster diverge in the same step; rank 0 alone has checkpoints.
  const source = (link ? shareSnapshot(patient(link), found) : found) ?? begin;
  restore(source, fit.composition, fit.program, fit.engine);
  if (spanning) loadStates(source, spanning);
  epochs.length = source.history.length;
  progress.midEpoch = false;
  rollbacks.push({ epoch: done + 1, to: source.epoch, factor: rule.factor, reason: messageOf(error) });
  if (link && link.rank > 0) return source.epoch;
  process.emitWarning(
    `${messageOf(error)}\n  The run goes back to epoch ${source.epoch}; learning rates are multiplied by ${rateFactor(progress)} from here on (${rollbacks.length} of at most ${rule.atMost}).`,
    { type: 'TailmixWarning', code: 'ROLLED_BACK' },
  );
  return source.epoch;
}
