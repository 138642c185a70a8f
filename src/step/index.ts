import type { Backend } from '../backend/load.ts';
import type { TrainOptions } from '../config/schema.ts';
import { createEagerEngine } from './eager.ts';
import type { Engine, StepProgram } from './types.ts';

/** Makes the engine of a run. The trainer cannot tell which one it holds. */
export function createEngine(program: StepProgram, _backend: Backend, _options: Pick<TrainOptions, 'step' | 'precision'>): Engine {
  return createEagerEngine(program);
}
