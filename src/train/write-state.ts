import { initialFault } from '../util/fault.ts';
import { nearest } from '../util/names.ts';
import { stateWrite } from './errors.ts';
import type { Progress } from './open-run.ts';

/**
 * What `run.write` does: replaces state that plugins keep.
 *
 * @throws {TailmixError} STATE_WRITE
 */
export function writeState(
  { fit, midEpoch }: Pick<Progress, 'fit' | 'midEpoch'>,
  values: Readonly<Record<string, Float32Array>>,
): void {
  if (midEpoch)
    throw stateWrite('expected a call in onTrainBegin, onEpochBegin or onEpochEnd; got one within an epoch');
  const state = fit.model.weights.filter(({ kind }) => kind === 'state');
  for (const [name, value] of Object.entries(values)) {
    const spec = state.find((weight) => weight.name === name);
    if (!spec) {
      const known = state.map((weight) => weight.name);
      throw stateWrite(`expected a weight of kind state; got ${JSON.stringify(name)}, ${nearest(name, known)}`);
    }
    const fault = initialFault(value, spec.shape);
    if (fault !== null) throw stateWrite(`${name}: expected ${fault.expected}; got ${fault.got}`);
  }
  fit.engine.write(values);
}
