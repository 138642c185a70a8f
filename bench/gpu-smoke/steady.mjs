// Takes thousands of training steps, and tells memory as it goes. Prints JSON.
import { join } from 'node:path';
import process from 'node:process';
import { registry } from '../../dist/plugins/index.js';
import { openStepBench } from '../../dist/src/bench/step.js';
import { openRecordings } from '../../dist/src/graph/index.js';
import { chooseDevice } from '../../dist/src/pjrt/index.js';
import { STEADY_CASE } from '../support/device-cases.mjs';

const [folder, steps] = process.argv.slice(2);
const { name, model, batch, size, precision } = STEADY_CASE;
const bench = await openStepBench({
  model,
  batch,
  imageSize: size,
  classes: 10,
  precision,
  step: 'captured',
  device: 'pjrt',
  backend: 'auto',
  plugins: await Promise.all(['mixup', 'remix'].map(async (plugin) => (await registry[plugin]()).default())),
  recordings: await openRecordings(join(folder, `${name}.recording`)),
});
const device = chooseDevice('pjrt');
const parts = Array.from({ length: 5 }, () => {
  bench.time('train', Math.ceil(Number(steps) / 5));
  return { residentBytes: process.memoryUsage().rss, deviceBytes: device.memory()?.used ?? null };
});
await bench.close();
const [second, last] = [parts[1], parts.at(-1)];
process.stdout.write(
  JSON.stringify({
    steps: Number(steps),
    parts,
    residentGrowth: last.residentBytes - second.residentBytes,
    deviceGrowth: last.deviceBytes === null ? null : last.deviceBytes - second.deviceBytes,
  }),
);
