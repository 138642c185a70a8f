import process from 'node:process';

/** Milliseconds of a clock that never goes back. */
export type Clock = () => number;

export const processClock: Clock = () => performance.now();

/**
 * Seconds that a run still takes, from what its steps have taken so far, evaluations included; null before its first
 * step.
 *
 * @param total - steps of the run
 * @param begun - steps done before the clock starts, as of a resumed run
 */
export function createEstimate(total: number, begun: number, now: Clock): (done: number) => number | null {
  const start = now();
  return (done) => (done <= begun ? null : (((now() - start) / 1000) * (total - done)) / (done - begun));
}

/** `45 s left`, `3 min left`, `1 h 20 min left`; nothing while it is not known, and at the end. */
export function timeLeft(seconds: number | null): string {
  if (seconds === null || seconds === 0) return '';
  if (seconds < 99.5) return `${Math.round(seconds)} s left`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min left` : `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

/** Memory of the process, `1.3 GB`. */
export const memoryUsed = (): string => `${(process.memoryUsage.rss() / 1e9).toFixed(1)} GB`;
