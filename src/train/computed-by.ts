import process from 'node:process';
import { customOpsBuild } from '../backend/custom-ops.ts';
import type { Backend } from '../backend/load.ts';
import { nativeFolder } from '../backend/paths.ts';
import { displayPath } from '../errors.ts';
import type { Engine } from '../step/types.ts';
import type { TrainerOptions } from './prepare.ts';

/** What a run's arithmetic is done by, where its config does not say: with another, last bits differ. By name, as messages show it. */
export const computedBy = (
  { name, tensorflow, threads }: Pick<Backend, 'name' | 'tensorflow' | 'threads'>,
  { mode, precision, device }: Pick<Engine, 'mode' | 'precision' | 'device'>,
): Record<string, string> => ({
  backend: name,
  ...(tensorflow !== null && { TensorFlow: tensorflow }),
  ...(name === 'native' && { 'custom ops': customOpsBuild(nativeFolder(name)) }),
  threads: String(threads),
  step: mode,
  precision,
  ...(device !== undefined && { device }),
});

/**
 * Warns, with the code `COMPUTED_OTHERWISE`, that a resumed run goes on with another arithmetic than the checkpoint has: other ops,
 * threads, TensorFlow or a device. Checkpoints of earlier versions do not say.
 */
export function warnOfOtherArithmetic({ resume, directory }: TrainerOptions, now: Record<string, string>): void {
  const before = resume?.computedBy;
  if (before === undefined) return;
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const differing = names.filter((name) => before[name] !== now[name]);
  if (differing.length === 0) return;
  const shown = differing.map((name) => `${name} ${before[name] ?? 'none'}, now ${now[name] ?? 'none'}`);
  process.emitWarning(
    `${directory ? displayPath(directory) : 'resume'}: the checkpoint was computed with ${shown.join('; ')}.\n  The run goes on, and its numbers differ by rounding from those of one that nobody interrupted.`,
    { type: 'TailmixWarning', code: 'COMPUTED_OTHERWISE' },
  );
}
