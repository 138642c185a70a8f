import { parentPort, workerData } from 'node:worker_threads';
import { internal, messageOf, TailmixError } from '../../errors.ts';
import { type Filler, openFiller } from './fill.ts';
import { JOB, type Job, type Report, SIGNAL, STATE, type WorkerData } from './ring.ts';

/** The program of a loader thread: fills its steps into the ring, as slots come free. */
if (parentPort === null) throw internal('loader-worker is a worker thread');
const port = parentPort;
const { worker, workers } = workerData as WorkerData;
const report = (message: Report): void => port.postMessage(message);

port.on('message', async (job: Job) => {
  let filler: Filler | undefined;
  try {
    filler = openFiller(job);
    await run(job, filler);
    report({ kind: 'done', job: job.id });
  } catch (error) {
    const code = error instanceof TailmixError ? error.code : 'INTERNAL';
    report({ kind: 'failed', job: job.id, message: messageOf(error), code });
  } finally {
    filler?.close();
  }
});

async function run(job: Job, filler: Filler): Promise<void> {
  const { control, slots, slotBytes, indices, positions, sources, strengths, starts } = job;
  const slotCount = control.length - STATE;
  for (let step = worker; step < starts.length - 1; step += workers) {
    const slot = step % slotCount;
    if (!slotIsFree(job, slot, step)) return;
    const from = starts[step]!;
    const to = starts[step + 1]!;
    const pending = filler.fill(
      {
        indices: indices.subarray(from, to),
        positions: positions.subarray(from, to),
        ...(sources && { sources: sources.subarray(from, to) }),
        ...(strengths && { strengths: strengths.subarray(from, to) }),
      },
      new Uint8Array(slots, slot * slotBytes, slotBytes),
    );
    if (pending) await pending;
    Atomics.store(control, STATE + slot, ~step);
    report({ kind: 'ready' });
  }
}

/** Sleeps until the slot is free for the step; false when the job was called off. */
function slotIsFree({ id, control }: Job, slot: number, step: number): boolean {
  for (;;) {
    const signal = Atomics.load(control, SIGNAL);
    if (Atomics.load(control, JOB) !== id) return false;
    if (Atomics.load(control, STATE + slot) === step) return true;
    Atomics.wait(control, SIGNAL, signal);
  }
}
