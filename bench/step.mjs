// Times tailmix's training and prediction step against PyTorch (eager and torch.compile, channels_last) and against plain
// tfjs-node code, on the same cores in the same run: all are built first, then take turns. Prints a table, or JSON.
//
//   node bench/step.mjs [--only resnet32-fp32,…] [--rounds 5] [--seconds 5] [--python python3] [--threads 2] [--batch N] [--cpu] [--json FILE]
//
// --cpu divides by processor time, for machines that others use too; with --threads 1, since threads that wait take it as well.
// PyTorch must be importable by that Python, and timm for Vision Transformers; nothing here installs them.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuFeatures, isBfloat16Native } from '../dist/src/backend/cpu.js';
import { openPeer } from './support/peer.mjs';
import { machine, median } from './support/report.mjs';

const CASES = [
  { name: 'resnet32-fp32', model: 'resnet32', batch: 128, size: 32, precision: 'fp32', plain: true },
  { name: 'resnet32-bf16', model: 'resnet32', batch: 128, size: 32, precision: 'bf16', plain: true },
  { name: 'resnet18-fp32', model: 'resnet18-cifar', batch: 128, size: 32, precision: 'fp32' },
  { name: 'resnet18-bf16', model: 'resnet18-cifar', batch: 128, size: 32, precision: 'bf16' },
  { name: 'resnet50-fp32', model: 'resnet50', batch: 16, size: 224, precision: 'fp32' },
  { name: 'resnet50-bf16', model: 'resnet50', batch: 16, size: 224, precision: 'bf16' },
  // iNaturalist's head, on maps of one pixel: 16.7 million of the 40.2 million weights, and 2048 × 8142 products an image.
  { name: 'resnet50-8142-fp32', model: 'resnet50', batch: 128, size: 32, precision: 'fp32', classes: 8142 },
  { name: 'vit-tiny-fp32', model: 'vit-tiny-16', batch: 32, size: 224, precision: 'fp32' },
  { name: 'vit-tiny-adapters-fp32', model: 'vit-tiny-16', batch: 32, size: 224, precision: 'fp32', adapters: true },
  { name: 'vit-tiny-adapters-bf16', model: 'vit-tiny-16', batch: 32, size: 224, precision: 'bf16', adapters: true },
  { name: 'resnet50-frozen-fp32', model: 'resnet50', batch: 32, size: 224, precision: 'fp32', frozen: true },
  { name: 'resnet50-frozen-bf16', model: 'resnet50', batch: 32, size: 224, precision: 'bf16', frozen: true },
  { name: 'vit-base-frozen-fp32', model: 'vit-base-16', batch: 8, size: 224, precision: 'fp32', frozen: true },
  { name: 'vit-base-frozen-bf16', model: 'vit-base-16', batch: 8, size: 224, precision: 'bf16', frozen: true },
  { name: 'vit-tiny-bf16', model: 'vit-tiny-16', batch: 32, size: 224, precision: 'bf16' },
];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    python: { type: 'string', default: 'python3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    'no-compile': { type: 'boolean', default: false },
    batch: { type: 'string' },
    cpu: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const hasBf16 = isBfloat16Native(cpuFeatures());
const here = (file) => fileURLToPath(new URL(file, import.meta.url));

async function open(name, command, args) {
  const threads = { TAILMIX_THREADS: values.threads, OMP_NUM_THREADS: values.threads };
  const { said, ask, close } = await openPeer(name, command, args, threads);
  const { version, compileMs, without = [] } = said;
  const rates = { train: [], predict: [] };
  let peakMemoryBytes = 0;
  return {
    name,
    version,
    compileMs,
    without,
    rates,
    async time(work, steps) {
      const answer = await ask(`${work} ${steps}`);
      peakMemoryBytes = Math.max(peakMemoryBytes, answer.peakMemoryBytes);
      return values.cpu ? answer.imagesPerCpuSecond : answer.imagesPerSecond;
    },
    memory: () => peakMemoryBytes,
    close,
  };
}

async function measure({ name, model, batch: usual, size, precision, plain, adapters, classes = 10, frozen }) {
  const batch = Number(values.batch ?? usual);
  const shared = ['--model', model, '--batch', String(batch), '--size', String(size), '--precision', precision];
  shared.push('--classes', String(classes));
  if (adapters) shared.push('--adapters');
  if (frozen) shared.push('--frozen');
  const torch = (mode) => [here('pytorch_step.py'), ...shared, '--threads', values.threads, '--mode', mode];
  const peers = [await open('tailmix', process.execPath, [here('tailmix-step.mjs'), ...shared])];
  peers.push(await open('pytorch eager', values.python, torch('eager')));
  if (!values['no-compile']) peers.push(await open('pytorch compile', values.python, torch('compile')));
  if (plain && !values.cpu)
    peers.push(await open('plain tfjs-node', process.execPath, [here('plain-tfjs.mjs'), '--batch', String(batch)]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const peer of peers) {
      for (const work of ['train', 'predict']) {
        peer.steps ??= {};
        peer.steps[work] ??= Math.max(1, Math.round(((await peer.time(work, 2)) * Number(values.seconds)) / batch));
        peer.rates[work].push(await peer.time(work, peer.steps[work]));
      }
    }
  }
  for (const peer of peers) peer.close();
  const [own, ...others] = peers;
  const best = (work) =>
    Math.max(...others.filter((o) => o.name.startsWith('pytorch')).map((o) => median(o.rates[work])));
  const leastMemory = Math.min(...others.filter((o) => o.name.startsWith('pytorch')).map((o) => o.memory()));
  const plainPeer = others.find((other) => other.name.startsWith('plain'));
  return {
    case: name,
    peers: peers.map((peer) => ({
      name: peer.name,
      version: peer.version,
      train: median(peer.rates.train),
      predict: median(peer.rates.predict),
      trainRounds: peer.rates.train,
      peakMemoryBytes: peer.memory(),
      ...(peer.compileMs && { compileMs: peer.compileMs }),
      ...(peer.without.length > 0 && { without: peer.without }),
    })),
    trainAgainstPytorch: median(own.rates.train) / best('train'),
    predictAgainstPytorch: median(own.rates.predict) / best('predict'),
    memoryAgainstPytorch: own.memory() / leastMemory,
    trainAgainstPlainTfjs: plainPeer ? median(own.rates.train) / median(plainPeer.rates.train) : null,
  };
}

const wanted = values.only?.split(',');
const results = [];
for (const candidate of CASES.filter(({ name }) => !wanted || wanted.includes(name))) {
  if (candidate.precision === 'bf16' && !hasBf16) {
    console.error(`SKIPPED ${candidate.name}: this CPU has neither avx512_bf16 nor amx_bf16`);
    continue;
  }
  const result = await measure(candidate);
  results.push(result);
  console.error(`\n${result.case}`);
  for (const { name, version, train, predict, peakMemoryBytes } of result.peers) {
    console.error(
      `  ${`${name} ${version}`.padEnd(30)}train ${train.toFixed(0).padStart(6)} img/s   predict ${predict.toFixed(0).padStart(6)} img/s   peak ${(peakMemoryBytes / 2 ** 20).toFixed(0).padStart(6)} MiB`,
    );
  }
  console.error(
    `  against PyTorch: train ${result.trainAgainstPytorch.toFixed(2)}×, predict ${result.predictAgainstPytorch.toFixed(2)}×, memory ${result.memoryAgainstPytorch.toFixed(2)}×${result.trainAgainstPlainTfjs ? `; against plain tfjs-node ${result.trainAgainstPlainTfjs.toFixed(2)}×` : ''}`,
  );
}
const report = {
  ...machine(),
  threads: Number(values.threads),
  rounds: Number(values.rounds),
  results,
};
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
else console.log(JSON.stringify(report));
