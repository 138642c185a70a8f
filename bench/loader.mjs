// The loader on images of CIFAR's size, pad-crop and flip: one thread of tailmix against PyTorch's DataLoader with torchvision
// transforms in two processes, on the same generated file, epochs in turns. PyTorch once as CIFAR scripts have it (normalised
// floats; tailmix normalises in the step's graph), and once to bytes, as tailmix does. Prints a table, or JSON.
//
//   npm run build && node bench/loader.mjs [--images 50000] [--rounds 5] [--python python3] [--json FILE]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { splitInMemory } from '../dist/src/data/dataset.js';
import { createLoader } from '../dist/src/data/loader/loader.js';
import { randomStream } from '../dist/src/random.js';
import { openPeer } from './support/peer.mjs';
import { machine, median } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '5' },
    python: { type: 'string', default: 'python3' },
    json: { type: 'string' },
  },
});
const BATCH = 128;
const count = Number(values.images);
const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
const file = join(folder, 'images.bin');
const random = randomStream('bench', 'loader');
writeFileSync(
  file,
  Uint8Array.from({ length: count * 32 * 32 * 3 }, () => random.integer(256)),
);

async function openPyTorch(name, args) {
  const script = fileURLToPath(new URL('pytorch_loader.py', import.meta.url));
  const own = [script, '--file', file, '--workers', '2', '--batch', String(BATCH), ...args];
  const peer = await openPeer(name, values.python, own);
  return { ...peer, version: peer.said.version, epoch: async () => (await peer.ask('epoch')).imagesPerSecond };
}

function openTailmix() {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10);
  const split = splitInMemory('train', labels, readFileSync(file));
  const loader = createLoader({
    shape: [32, 32, 3],
    augment: [
      { name: 'pad-crop', padding: 4 },
      { name: 'flip', probability: 0.5 },
    ],
    seed: 0,
    workers: 1,
  });
  let epochs = 0;
  return {
    name: 'tailmix, 1 thread',
    version: `node ${process.version}`,
    async epoch() {
      const order = Int32Array.from(labels.keys());
      const stream = randomStream('bench', 'order', ++epochs);
      for (let i = count - 1; i > 0; i--) {
        const j = stream.integer(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      const steps = [];
      for (let from = 0; from < count; from += BATCH) {
        const indices = order.subarray(from, from + BATCH);
        steps.push({ indices, positions: Int32Array.from(indices, (_, i) => from + i) });
      }
      let start = 0;
      let seen = 0;
      for await (const { labels: own, release } of loader.load(split, steps, epochs, true)) {
        if (start === 0) start = performance.now();
        else seen += own.length;
        release();
      }
      return seen / ((performance.now() - start) / 1000);
    },
    close: () => loader.close(),
  };
}

const peers = [
  openTailmix(),
  await openPyTorch('PyTorch, 2 workers, floats', []),
  await openPyTorch('PyTorch, 2 workers, bytes', ['--uint8']),
];
const rates = peers.map(() => []);
for (const peer of peers) await peer.epoch();
for (let round = 0; round < Number(values.rounds); round++)
  for (const [i, peer] of peers.entries()) rates[i].push(await peer.epoch());
for (const peer of peers) await peer.close();
rmSync(folder, { recursive: true });

const medians = rates.map(median);
const report = {
  ...machine(),
  images: count,
  rows: peers.map(({ name, version }, i) => ({
    name,
    version,
    imagesPerSecond: medians[i],
    tailmixIsFaster: medians[0] / medians[i],
    rates: rates[i],
  })),
};
console.error(`${report.cpu}, ${report.cores} cores, ${count} images`);
for (const row of report.rows) {
  const ratio = row.name.startsWith('tailmix') ? '' : `tailmix ${row.tailmixIsFaster.toFixed(1)}×`;
  console.error(
    `${row.name.padEnd(28)} ${row.imagesPerSecond.toFixed(0).padStart(8)} images/s  ${ratio.padEnd(16)} ${row.version}`,
  );
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
else console.log(JSON.stringify(report));
