// Times tailmix's training and prediction step against PyTorch (eager and torch.compile, channels_last) and against plain
// tfjs-node code, on the same cores in the same run: all are built first, then take turns. Prints a table, or JSON.
//
//   node bench/step.mjs [--only resnet32-fp32,…] [--rounds 5] [--seconds 5] [--python python3] [--threads 2] [--batch N] [--cpu]
//     [--device pjrt] [--json FILE]
//
// With --device, tailmix computes on a device (docs/devices.md), and PyTorch on its GPU where it finds one; memory is that of the GPU then.
// --cpu divides by processor time, for machines that others use too; with --threads 1, since threads that wait take it as well.
// PyTorch must be importable by that Python, and timm for Vision Transformers; nothing here installs them.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { cpuFeatures, isBfloat16Native } from '../dist/src/backend/cpu.js';
import { machine } from './support/report.mjs';
import { measureCase, printCase } from './support/step-case.mjs';

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
    device: { type: 'string', default: 'cpu' },
    cpu: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const hasBf16 = isBfloat16Native(cpuFeatures());
const wanted = values.only?.split(',');
const results = [];
for (const candidate of CASES.filter(({ name }) => !wanted || wanted.includes(name))) {
  if (candidate.precision === 'bf16' && values.device === 'cpu' && !hasBf16) {
    console.error(`SKIPPED ${candidate.name}: this CPU has neither avx512_bf16 nor amx_bf16`);
    continue;
  }
  const result = await measureCase(candidate, values);
  results.push(result);
  printCase(result);
}
const report = {
  ...machine(),
  threads: Number(values.threads),
  rounds: Number(values.rounds),
  results,
};
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
else console.log(JSON.stringify(report));
