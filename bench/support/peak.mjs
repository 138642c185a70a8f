// Loaded before a program by `node --import`: writes its peak of resident memory, in bytes, into the file BENCH_PEAK as it ends.
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('exit', () => writeFileSync(process.env.BENCH_PEAK, String(process.resourceUsage().maxRSS * 1024)));
}
