import type { Backend } from '../backend/load.ts';
import type { TrainOptions } from '../config/schema.ts';
import { messageOf } from '../errors.ts';
import { currentOwner } from '../owner.ts';
import type { CaptureOptions } from './captured/engine.ts';
import { createEagerEngine } from './eager.ts';
import type { Engine, StepProgram } from './types.ts';

/** How a step is to run. */
export interface EngineOptions extends Pick<TrainOptions, 'step' | 'precision'> {
  /** Changes what differs between steps, before a signature is recorded a second time. */
  retrace?: CaptureOptions['retrace'];
}

/**
 * Makes the engine of a run; the trainer cannot tell which one it holds. `captured` refuses what it cannot record, `auto`
 * then falls back to eager for the whole run and keeps the reason. The capturing code is loaded only when it is used.
 *
 * @throws {TailmixError} from `captured`, naming the op and the plugin that brought it.
 */
export async function createEngine(program: StepProgram, backend: Backend, options: EngineOptions): Promise<Engine> {
  const { step, precision, retrace } = options;
  if (step === 'eager') return createEagerEngine(program);
  if (step === 'auto' && backend.binding === undefined) {
    return createEagerEngine(program, `the ${backend.name} backend has no graphs`);
  }
  const { createCapturedEngine } = await import('./captured/engine.ts');
  try {
    return createCapturedEngine(program, backend, { precision, owner: currentOwner, ...(retrace && { retrace }) });
  } catch (error) {
    if (step === 'captured') throw error;
    return createEagerEngine(program, messageOf(error));
  }
}
