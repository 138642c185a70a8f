// What surrounds the step costs: a whole training epoch on real images (loader, augmentation, Mixup, Remix, DRW, metrics,
// tracking, checkpoint) against the bare step, in turns; and the time from `tailmix train` to its first finished step.
// Prints a table, or JSON.
//
//   npm run build && node bench/epoch.mjs [--data-root DIR] [--rounds 3] [--config FILE …] [--json FILE]
//
// DIR holds CIFAR-10 as its binary files; without it they are made from the images that the tests use.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createJiti } from 'jiti';
import { registry } from '../dist/plugins/index.js';
import { openStepBench, shortcomings } from '../dist/src/bench/step.js';
import { machine, median } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    'data-root': { type: 'string' },
    rounds: { type: 'string', default: '3' },
    config: {
      type: 'string',
      multiple: true,
      default: ['configs/methods/remix-paper-300/remix-drw.yaml', 'configs/data/cifar10-exp-100.yaml'],
    },
    json: { type: 'string' },
  },
});
const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const made = async () => {
  const { cifar10Binary } = await createJiti(import.meta.url).import('../test/support/cifar10-binary.ts');
  return cifar10Binary();
};
const root = values['data-root'] ?? (await made());
if (root === null) throw new Error('bench/epoch.mjs: expected the images of CIFAR-10; set TAILMIX_DATA or --data-root');
const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));

/** One epoch in a process of its own, as a user starts it. */
function epoch(round) {
  const start = performance.now();
  const child = fork(
    here('../bin/tailmix.mjs'),
    ['train', ...values.config, '--data-root', root, '--set', 'train.epochs=1', '--out', join(folder, String(round))],
    {
      cwd: here('..'),
      env: { ...process.env, TAILMIX_PROGRESS: 'ipc' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  return new Promise((resolve, reject) => {
    let firstStepSeconds;
    let metrics;
    child.on('message', (message) => {
      firstStepSeconds ??= (performance.now() - start) / 1000;
      metrics = message.metrics ?? metrics;
    });
    child.on('exit', (code) => {
      if (code !== 0 || !metrics) reject(new Error(`tailmix train ended with exit code ${code}`));
      else resolve({ firstStepSeconds, imagesPerSecond: metrics.imagesPerSecond, waitSeconds: metrics.waitSeconds });
    });
  });
}

const plugins = await Promise.all(['mixup', 'remix'].map(async (name) => (await registry[name]()).default()));
const bench = await openStepBench({
  model: 'resnet32',
  batch: 128,
  imageSize: 32,
  classes: 10,
  precision: 'fp32',
  step: 'captured',
  backend: 'native',
  plugins,
});
const without = shortcomings(bench.describe());
for (const lack of without) console.error(`CAUTION: measured ${lack}`);
const STEPS = 40;
const rounds = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const before = bench.time('train', STEPS);
  const run = await epoch(round);
  const after = bench.time('train', STEPS);
  rounds.push({
    ...run,
    bareImagesPerSecond: (before + after) / 2,
    share: (2 * run.imagesPerSecond) / (before + after),
  });
}
await bench.close();
rmSync(folder, { recursive: true });

const of = (key) => median(rounds.map((round) => round[key]));
const report = {
  ...machine(),
  config: values.config,
  without,
  imagesPerSecond: of('imagesPerSecond'),
  bareImagesPerSecond: of('bareImagesPerSecond'),
  epochAgainstBareStep: of('share'),
  firstStepSeconds: of('firstStepSeconds'),
  rounds,
};
console.error(`epoch        ${report.imagesPerSecond.toFixed(0)} images/s, of which waiting for the loader ${of('waitSeconds').toFixed(2)} s
bare step    ${report.bareImagesPerSecond.toFixed(0)} images/s
share        ${report.epochAgainstBareStep.toFixed(3)}
first step   ${report.firstStepSeconds.toFixed(1)} s after the command`);
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
else console.log(JSON.stringify(report));
