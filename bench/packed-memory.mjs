// Memory of training from a packed set that is larger than memory: an epoch over the whole of a generated set of 10 GB, shuffled,
// against the same model trained on a set of a few images. What is compared is the peak of resident memory of `tailmix
// train`, the pixels of the small set, which are held in memory, taken off. Prints a table, or JSON; exit code 1 above 1.5 GB.
//
//   npm run build && node bench/packed-memory.mjs [--gigabytes 10] [--model small-cnn] [--workers 1] [--json FILE]
//
// The set lies in the temporary folder (TMPDIR) and is removed afterwards.
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { preparePackedSet } from './support/packed-set.mjs';
import { machine } from './support/report.mjs';
import { phasesPlugin, tailmix } from './support/watch.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: { gigabytes: option('10'), model: option('small-cnn'), workers: option('1'), json: { type: 'string' } },
});
const [SIDE, INPUT, BATCH, CLASSES] = [256, 64, 128, 10];
const IMAGE_BYTES = SIDE * SIDE * 3;
const LIMIT = 1.5e9;
const SPARE = 2e9;
const bytes = Number(values.gigabytes) * 1e9;
const { bavail, bsize } = statfsSync(tmpdir());
if (bavail * bsize < bytes + SPARE)
  throw new Error(`bench: expected ${(bytes + SPARE) / 1e9} GB in ${tmpdir()}; there are ${(bavail * bsize) / 1e9}`);

const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
try {
  /** Trains on `rows` images; several epochs where they are few. */
  const train = async (name, rows, epochs) => {
    const own = join(folder, name);
    mkdirSync(own);
    const classes = (count) => Int32Array.from({ length: count }, (_, i) => i % CLASSES);
    const { config, env } = await preparePackedSet(own, {
      train: classes(rows),
      test: classes(BATCH),
      side: SIDE,
      config: {
        data: {
          packSize: SIDE,
          imageSize: INPUT,
          workers: Number(values.workers),
          augment: [{ name: 'random-resized-crop' }, { name: 'flip' }],
        },
        model: { name: values.model },
        train: { epochs, batchSize: BATCH },
        evaluate: { every: epochs },
        plugins: [{ use: phasesPlugin }],
      },
    });
    const { peakBytes, phases, without } = await tailmix(['train', config, '--out', join(own, 'run')], { env });
    rmSync(own, { recursive: true });
    return {
      images: rows,
      bytes: rows * IMAGE_BYTES,
      steps: epochs * Math.ceil(rows / BATCH),
      peakBytes,
      phases,
      without,
    };
  };
  const small = await train('small', 2 * BATCH, 20);
  const large = await train('large', Math.ceil(bytes / IMAGE_BYTES), 1);
  const aboveBytes = large.peakBytes - (small.peakBytes - small.bytes);
  const report = { ...machine(), model: values.model, workers: Number(values.workers), small, large, aboveBytes };
  const megabytes = (value) => `${(value / 1e6).toFixed(0)} MB`;
  console.error(`${report.cpu}, ${report.cores} cores, load ${report.load.toFixed(1)}, Node ${report.node}`);
  for (const [name, { images, bytes: own, steps, peakBytes }] of Object.entries({ small, large }))
    console.error(
      `${name}  ${images} images, ${megabytes(own)}, ${steps} steps of ${BATCH}: peak ${megabytes(peakBytes)}`,
    );
  console.error(`above the model's own: ${megabytes(aboveBytes)}`);
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
  if (aboveBytes > LIMIT) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
