// A plugin for benches: tells the parent process when a run has come to each of its phases (seconds since the process
// started, and of its processors) and how large the process was then.
import process from 'node:process';
import { definePlugin, z } from 'tailmix';

const told = new Set();
function tell(phase) {
  if (told.has(phase) || !process.connected) return;
  told.add(phase);
  const { user, system } = process.cpuUsage();
  process.send({
    type: 'phase',
    phase,
    seconds: performance.now() / 1000,
    cpuSeconds: (user + system) / 1e6,
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
    hooks.onTrainBegin.tapPromise(name, async () => {
      training = true;
      tell('step compiled');
    });
    hooks.onBatch.tap(name, (batch) => {
      // Hooks are rehearsed before the run begins.
      if (training) tell('first batch');
      return batch;
    });
    hooks.onBatchEnd.tap(name, () => tell('first step'));
    hooks.onEpochEnd.tapPromise(name, async () => tell('first epoch'));
  },
});
