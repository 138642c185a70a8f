import type { FillOptions } from './fill.ts';

/*
 * A ring of slots in shared memory. Step s goes into slot s % slotCount. The state of a slot is s while it is free for
 * step s, and ~s once step s lies in it. `SIGNAL` counts releases and is what a waiting worker sleeps on; `JOB` is the
 * epoch being loaded, and changing it calls the workers off.
 */

/** Index of the running job in the control words. */
export const JOB = 0;
/** Index of the counter that workers sleep on. */
export const SIGNAL = 1;
/** Index of the state of slot 0. */
export const STATE = 2;

/** What a worker thread is told about one epoch. All arrays are shared memory. */
export interface Job extends FillOptions {
  id: number;
  /** `[2 + slotCount]`: {@link JOB}, {@link SIGNAL}, states. */
  control: Int32Array;
  slots: SharedArrayBuffer;
  slotBytes: number;
  /** `[n]`, rows of all steps. */
  indices: Int32Array;
  /** `[n]`. */
  positions: Int32Array;
  /** `[n]`, where steps have them. */
  sources?: Uint8Array;
  strengths?: Float32Array;
  /** `[steps + 1]`, where each step starts in `indices`. */
  starts: Int32Array;
}

/** Which part of the steps a worker takes: s with s % workers = worker. */
export interface WorkerData {
  worker: number;
  workers: number;
}

/** What a worker thread reports: a step lies in its slot, a job has ended, or it failed. */
export type Report =
  | { kind: 'ready' }
  | { kind: 'done'; job: number }
  | { kind: 'failed'; job: number; message: string; code: string };

/** Wakes the workers that wait for a free slot, or to look whether their job still runs. */
export function wakeWorkers(control: Int32Array): void {
  Atomics.add(control, SIGNAL, 1);
  Atomics.notify(control, SIGNAL);
}
