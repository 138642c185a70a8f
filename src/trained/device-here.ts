import process from 'node:process';
import type { Backend } from '../backend/load.ts';
import { displayPath, TailmixError } from '../errors.ts';
import { recorderMissing } from '../pjrt/errors.ts';
import { deviceOf } from '../step/index.ts';
import type { TrainedRun } from './open.ts';

/**
 * A trained run on the device that its config asks for, or on the processor where that device cannot be had: a run may be
 * opened on another machine than trained it. Warns with `DEVICE_ELSEWHERE`.
 */
export async function onDeviceHere<Run extends Pick<TrainedRun, 'settings' | 'directory'>>(
  run: Run,
  backend: Backend,
): Promise<Run> {
  const { train } = run.settings;
  if (train.device === undefined || train.device === 'cpu') return run;
  try {
    if (backend.binding === undefined) throw recorderMissing(backend.name);
    await deviceOf(train, backend);
    return run;
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
    process.emitWarning(`${displayPath(run.directory)}: computed on the processor. ${error.message}`, {
      type: 'TailmixWarning',
      code: 'DEVICE_ELSEWHERE',
    });
    return { ...run, settings: { ...run.settings, train: { ...train, device: 'cpu' } } };
  }
}
