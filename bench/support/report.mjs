// What every bench's report has: the machine, and medians.
import { availableParallelism, cpus, loadavg } from 'node:os';
import process from 'node:process';

/** The machine, as it is now. */
export const machine = () => ({
  cpu: cpus()[0].model,
  cores: availableParallelism(),
  load: loadavg()[0],
  node: process.version,
});

/** The middle one; of an even number, the mean of the middle two. */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}
