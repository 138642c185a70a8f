// A plugin for benches: tells the parent process when a run has come to each of its phases (seconds since the process
// started, of its processors and, on Linux, of its main thread) and how large the process was then.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { definePlugin, z } from 'tailmix';

const told = new Set();
/** Seconds that the main thread has run; null where the system does not say. */
function mainSeconds() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return null;
  }
}

function tell(phase) {
  if (told.has(phase) || !process.connected) return;
  told.add(phase);
  const { user, system } = process.cpuUsage();
  process.send({
    type: 'phase',
    phase,
    seconds: performance.now() / 1000,
    cpuSeconds: (user + system) / 1e6,
    mainSeconds: mainSeconds(),
    rssBytes: process.memoryUsage.rss(),
  });
}

const name = 'phases';
export default definePlugin({
  name,
  options: z.strictObject({}),
  apply({ hooks }) {
    let training = false;
    tell('data opened');
    hooks.onTrainBegin.tapPromise(name, async ({ engine: { backend, reason, precisionReason } }) => {
      training = true;
      tell('step compiled');
      // Loaded by now, by the run.
      const { whyWithoutCustomOps } = await import('../../dist/src/backend/native.js');
      const customOpsReason = backend === 'wasm' ? 'WASM has none.' : whyWithoutCustomOps();
      if (process.connected)
        process.send({ type: 'engine', engine: { customOpsReason, stepModeReason: reason, precisionReason } });
    });
    hooks.onBatch.tap(name, (batch) => {
      // Hooks are rehearsed before the run begins.
      if (training) tell('first batch');
      return batch;
    });
    hooks.onBatchEnd.tap(name, () => tell(told.has('first step') ? 'second step' : 'first step'));
    hooks.onEpochEnd.tapPromise(name, async () => tell('first epoch'));
  },
});
