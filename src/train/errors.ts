import { TailmixError } from '../errors.ts';
import type { StepContext } from '../step/types.ts';

/** The loss became NaN or infinite: when, at which rate, and which weight is the largest by then. */
export function lossNotFinite(
  loss: number,
  { epoch, step }: Pick<StepContext, 'epoch' | 'step'>,
  learningRate: number,
  state: Readonly<Record<string, Float32Array>>,
): TailmixError {
  let largest = { name: '', size: -1 };
  for (const [name, values] of Object.entries(state)) {
    const size = values.reduce((max, value) => (Number.isNaN(value) ? Infinity : Math.max(max, Math.abs(value))), 0);
    if (size > largest.size) largest = { name, size };
  }
  return new TailmixError(
    `step ${step} (epoch ${epoch}): expected a finite loss, got ${loss}. The learning rate is ${learningRate}; the largest value is in ${largest.name} (${largest.size.toPrecision(3)}).\n  Lower train.optimizer.learningRate, warm it up with lr-schedule, or clip gradients.`,
    { code: 'LOSS_NOT_FINITE' },
  );
}

/** Asked to end before there was a step. */
export const interruptedInReading = (reason: unknown): TailmixError =>
  new TailmixError(`${reason}: the run ended while its images were read, before its first step.`, {
    code: 'INTERRUPTED',
  });

export const classWeightsInvalid = (weights: ArrayLike<number>, classes: number): TailmixError =>
  new TailmixError(
    `computeClassWeights: expected ${classes} finite weights of 0 or more, got ${weights.length}: ${Array.from(weights).slice(0, 10).join(', ')}.`,
    { code: 'CLASS_WEIGHTS', hook: 'computeClassWeights' },
  );

/** A snapshot of another model or optimizer. */
export const snapshotMismatch = (
  name: string,
  expected: readonly number[] | undefined,
  got: readonly number[] | undefined,
): TailmixError =>
  new TailmixError(
    `resume: ${name}: expected ${expected ? `shape [${expected.join(', ')}]` : 'no such state'}, got ${got ? `shape [${got.join(', ')}]` : 'nothing'}.\n  The checkpoint is of another model, optimizer or plugin list: resume with the config that the run began with.`,
    { code: 'SNAPSHOT_MISMATCH', kind: 'config' },
  );

/** Two phases of one name. */
export const phaseTwice = (name: string, i: number, j: number): TailmixError =>
  new TailmixError(
    `phases[${i}] and phases[${j}] are both named "${name}", and metrics tell phases by their names. Rename one.`,
    { code: 'PHASE_TWICE', kind: 'config', path: `phases[${j}].name` },
  );

/** A plugin in a phase that is there once for all phases. */
export const spansInPhase = (plugin: string, phase: number): TailmixError =>
  new TailmixError(
    `phases[${phase}].plugins: expected plugins of the phase; ${plugin} spans all phases of a run.\n  Make it an entry of \`plugins\` of the run.`,
    { code: 'SPANS_PHASES', kind: 'config', plugin },
  );
