// tailmix's side of bench/step.mjs: the same protocol as pytorch_step.py. With --workers, a process of a cluster.

import process, { cpuUsage, resourceUsage } from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { registry } from '../dist/plugins/index.js';
import { loadBackend } from '../dist/src/backend/load.js';
import { openStepBench, shortcomings } from '../dist/src/bench/step.js';
import { join } from '../dist/src/cluster/link.js';
import { openRecordings } from '../dist/src/graph/index.js';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: {
    model: option('resnet32'),
    batch: option('128'),
    size: option('32'),
    classes: option('10'),
    precision: option('fp32'),
    step: option('captured'),
    adapters: { type: 'boolean', default: false },
    frozen: { type: 'boolean', default: false },
    replicas: option('1'),
    // As `train.device` has it; with a file of recordings, TensorFlow is not needed.
    device: option('cpu'),
    recording: { type: 'string' },
    workers: { type: 'string' },
    worker: option('0'),
  },
});
const names = ['mixup', 'remix', ...(values.adapters ? ['adaptformer'] : [])];
const plugins = await Promise.all(names.map(async (name) => (await registry[name]()).default()));
const backend = values.recording ? 'auto' : 'native';
await loadBackend(backend);
const member = { rank: Number(values.worker), addresses: values.workers?.split(','), from: 'the benchmark' };
const link = values.workers && (await join(member, { tell: () => {} }));
const bench = await openStepBench({
  model: values.model,
  batch: Number(values.batch),
  imageSize: Number(values.size),
  classes: Number(values.classes),
  precision: values.precision,
  step: values.step,
  backend,
  device: values.device,
  ...(values.recording && { recordings: await openRecordings(values.recording) }),
  plugins,
  frozen: values.frozen,
  ...(values.replicas !== '1' && { replicas: Number(values.replicas) }),
  ...(link && { link }),
});
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const described = bench.describe();
const { tensorflow, compileMs, device } = described;
say({ ready: true, version: device ?? tensorflow, compileMs, without: shortcomings(described) });
for await (const line of createInterface({ input: process.stdin })) {
  const [name, steps] = line.split(' ');
  if (name === 'quit') break;
  const before = cpuUsage();
  const imagesPerSecond = bench.time(name, Number(steps));
  const { user, system } = cpuUsage(before);
  const imagesPerCpuSecond = (Number(steps) * Number(values.batch) * 1e6) / (user + system);
  const { deviceMemoryBytes } = bench.describe();
  say({ imagesPerSecond, imagesPerCpuSecond, peakMemoryBytes: deviceMemoryBytes ?? resourceUsage().maxRSS * 1024 });
}
await bench.close();
if (link) {
  await link.leave();
  process.exit(0);
}
