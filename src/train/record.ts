import { holdBackend } from '../backend/load.ts';
import { composeRun } from '../compose/compose-run.ts';
import type { LoadedData } from '../data/types.ts';
import { backendNotNative } from '../graph/errors.ts';
import type { KeptCall, KeptRecordings } from '../graph/index.ts';
import { createRecordedCalls } from '../graph/recorded-calls.ts';
import { partOf } from '../pjrt/index.ts';
import { currentOwner } from '../step/owner.ts';
import { version } from '../version.ts';
import { recordingsOther } from './errors.ts';
import { batchSizesOf, phaseProgram, shareOfDevices } from './phase-program.ts';
import { phasesOf } from './phases.ts';
import { prepare, readData, type TrainerOptions } from './prepare.ts';
import { withPrepared } from './prepared.ts';
import { createRehearsal } from './rehearse.ts';

/** What decides the recordings of a run, by the names that messages have for it. */
const factsOf = ({ config }: Pick<TrainerOptions, 'config'>, { train }: LoadedData): Record<string, string> => ({
  tailmix: version,
  'the config (hash)': config?.hash ?? 'none',
  'the choice of training images (hash)': train.hash,
  'images of each class': train.classCounts.join(' '),
});

/**
 * Records every call of a run, with TensorFlow on the CPU: what a device computes on a machine that has no TensorFlow.
 *
 * @param devices - for a run with `train.replicas`, the devices that will share them. Default 1.
 * @throws {CaptureError} if the run cannot be recorded, naming op and plugin.
 * @throws {TailmixError} DEVICE_SETTING, and what opening the run throws.
 */
export async function recordRun(given: TrainerOptions, devices = 1): Promise<KeptRecordings> {
  const options = await withPrepared(given);
  const data = await readData(options);
  const prepared = await Promise.all(
    phasesOf(options).map(async (phase) => ({ ...phase, ...(await prepare(phase.options, data)) })),
  );
  const { phases } = composeRun(options, prepared);
  const { backend, release } = await holdBackend(options.backend);
  const { binding } = backend;
  try {
    if (binding === undefined) throw backendNotNative(backend.name);
    const programs = phases.map((phase): KeptCall[] => {
      const { composition, info, settings } = phase;
      const sizes = batchSizesOf(info, settings.train);
      const share = shareOfDevices(devices, info, sizes);
      const program = phaseProgram(phase, composition, { devices: share });
      const rehearse = createRehearsal(composition, info, sizes, share);
      const calls = createRecordedCalls(program, binding, { owner: currentOwner, rehearse });
      return program.signatures
        .map(partOf)
        .map((signature) => ({ signature, recording: calls.add(signature).recorded }));
    });
    return { facts: factsOf(options, data), programs };
  } finally {
    release();
  }
}

/**
 * Refuses recordings of another run.
 *
 * @throws {TailmixError} RECORDING_OTHER, naming what differs.
 */
export function expectRecorded(options: TrainerOptions, data: LoadedData): void {
  if (!options.recordings) return;
  const { facts } = options.recordings;
  for (const [name, now] of Object.entries(factsOf(options, data)))
    if (facts[name] !== now) throw recordingsOther(name, facts[name] ?? 'none', now);
}
