// The start of fine-tuning: a published ViT-B/16 of 350 MB (timm's names, random values), its trunk frozen and adapters trained,
// from `tailmix train` to the end of the first step, phase by phase. The second step is what a step costs without the start.
// Wall time says little on a machine that does other work: beside it stand the processors' seconds and, on Linux, the main
// thread's, which nothing can overlap. Prints a table, or JSON.
//
//   npm run build && node bench/weights-start.mjs [--rounds 5] [--batch 8] [--json FILE]
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { stringify } from 'yaml';
import { machine, median } from './support/report.mjs';
import { phasesPlugin, tailmix } from './support/watch.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({ options: { rounds: option('5'), batch: option('8'), json: { type: 'string' } } });
const [WIDTH, DEPTH, PATCH, SIDE, CLASSES] = [768, 12, 16, 224, 4];

/** Shapes of timm's vit_base_patch16_224. */
function shapes() {
  const linear = (name, out, from) => [
    [`${name}.weight`, [out, from]],
    [`${name}.bias`, [out]],
  ];
  const norm = (name) => [
    [`${name}.weight`, [WIDTH]],
    [`${name}.bias`, [WIDTH]],
  ];
  const block = (at) => [
    ...norm(`${at}.norm1`),
    ...linear(`${at}.attn.qkv`, 3 * WIDTH, WIDTH),
    ...linear(`${at}.attn.proj`, WIDTH, WIDTH),
    ...norm(`${at}.norm2`),
    ...linear(`${at}.mlp.fc1`, 4 * WIDTH, WIDTH),
    ...linear(`${at}.mlp.fc2`, WIDTH, 4 * WIDTH),
  ];
  return [
    ['cls_token', [1, 1, WIDTH]],
    ['pos_embed', [1, 1 + (SIDE / PATCH) ** 2, WIDTH]],
    ['patch_embed.proj.weight', [WIDTH, 3, PATCH, PATCH]],
    ['patch_embed.proj.bias', [WIDTH]],
    ...Array.from({ length: DEPTH }, (_, i) => block(`blocks.${i}`)).flat(),
    ...norm('norm'),
    ...linear('head', 1000, WIDTH),
  ];
}

function writeWeights(path) {
  let at = 0;
  const header = Object.fromEntries(
    shapes().map(([name, shape]) => {
      const begin = at;
      at += 4 * shape.reduce((a, b) => a * b);
      return [name, { dtype: 'F32', shape, data_offsets: [begin, at] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  for (const part of [length, text]) writeSync(file, part);
  let state = 1;
  for (const [name, shape] of shapes()) {
    const mean = /norm\d?\.weight$/.test(name) ? 1 : 0;
    const array = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return mean + 0.07 * (state / 2 ** 32 - 0.5);
    });
    writeSync(file, new Uint8Array(array.buffer));
  }
  closeSync(file);
}

async function writePhotos(root, count) {
  for (const split of ['train', 'test']) {
    for (let label = 0; label < CLASSES; label++) {
      const folder = join(root, split, String(label));
      mkdirSync(folder, { recursive: true });
      for (let i = 0; i < count; i++) {
        const background = { r: 60 * label, g: i, b: 100 };
        const photo = sharp({ create: { width: SIDE, height: SIDE, channels: 3, background } });
        await photo.png().toFile(join(folder, `${i}.png`));
      }
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
try {
  const batchSize = Number(values.batch);
  const weights = join(folder, 'vit_base_patch16_224.safetensors');
  writeWeights(weights);
  await writePhotos(join(folder, 'photos'), batchSize);
  const config = join(folder, 'run.yaml');
  const content = {
    data: { name: 'image-folder', root: join(folder, 'photos'), imageSize: SIDE },
    model: { name: 'vit-base-16', weights },
    train: { epochs: 1, batchSize, optimizer: { name: 'sgd', learningRate: 0.01 } },
    plugins: [{ use: phasesPlugin }, { use: 'adaptformer' }],
  };
  writeFileSync(config, stringify(content));
  const rounds = [];
  let without = [];
  // The first run packs the photos.
  for (let round = -1; round < Number(values.rounds); round++) {
    const out = join(folder, `run-${round}`);
    const { phases, ...seen } = await tailmix(['train', config, '--out', out], { until: 'second step' });
    without = seen.without;
    if (round >= 0) rounds.push(Object.fromEntries(phases.map(({ phase, ...own }) => [phase, own])));
  }
  const of = (phase, key) => median(rounds.map((round) => round[phase][key]));
  const report = {
    ...machine(),
    without,
    batchSize,
    phases: Object.keys(rounds[0]).map((phase) => ({
      phase,
      ...Object.fromEntries(['seconds', 'mainSeconds', 'cpuSeconds', 'rssBytes'].map((key) => [key, of(phase, key)])),
    })),
    rounds,
  };
  console.error(
    `${report.cpu}, ${report.cores} cores, load ${report.load.toFixed(1)}, Node ${report.node}; batch ${batchSize}`,
  );
  for (const { phase, seconds, mainSeconds, cpuSeconds, rssBytes } of report.phases)
    console.error(
      `${phase.padEnd(14)} at ${seconds.toFixed(2).padStart(6)} s, main thread ${mainSeconds?.toFixed(2) ?? '–'} s, processors ${cpuSeconds.toFixed(2)} s, ${(rssBytes / 1e6).toFixed(0)} MB`,
    );
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
