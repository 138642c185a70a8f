// What a device (docs/devices.md) delivers: training and prediction steps of four networks against PyTorch (eager, compiled, compiled with
// CUDA graphs) and JAX on the same GPU; a whole epoch with its loader against the bare step; and the images a second that loaders with 1, 2, 4 …
// threads deliver. Prints a table, or JSON.
//
//   npm run build && node bench/device.mjs [--device pjrt] [--only resnet32-fp32,…] [--rounds 5] [--seconds 5] [--python python3]
//     [--jax] [--no-compile] [--batch N] [--recordings FOLDER] [--json FILE]
//
// --batch: only where TensorFlow records. The plugin is that of `tailmix setup --device`, or TAILMIX_PJRT. --python '' leaves PyTorch out; --jax measures JAX with it too. --recordings: of
// `bench/gpu-smoke/pack.mjs`, where there is no TensorFlow.
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { registry } from '../dist/plugins/index.js';
import { loadBackend } from '../dist/src/backend/load.js';
import { benchLoader } from '../dist/src/bench/loader.js';
import { benchEpoch } from '../dist/src/bench/step.js';
import { openRecordings } from '../dist/src/graph/index.js';
import { DEVICE_CASES } from './support/device-cases.mjs';
import { machine } from './support/report.mjs';
import { measureCase, printCase } from './support/step-case.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: {
    device: option('pjrt'),
    only: { type: 'string' },
    rounds: option('5'),
    seconds: option('5'),
    python: option('python3'),
    threads: option(String(availableParallelism())),
    'no-compile': { type: 'boolean', default: false },
    jax: { type: 'boolean', default: false },
    batch: { type: 'string' },
    recordings: { type: 'string' },
    json: { type: 'string' },
  },
});
const wanted = values.only?.split(',');
const backend = values.recordings ? 'auto' : 'native';
const workers = Math.max(1, availableParallelism() - 1);

/** An epoch with its loader, in this process: images per second of its steps, and the share of the bare step's. */
async function epochOf({ model, batch, size, precision, classes = 10 }, recording, bare) {
  await loadBackend(backend);
  const plugins = await Promise.all(['mixup', 'remix'].map(async (name) => (await registry[name]()).default()));
  const { imagesPerSecond, waitSeconds, seconds } = await benchEpoch({
    model,
    batch: Number(values.batch ?? batch),
    imageSize: size,
    classes,
    precision,
    step: 'captured',
    device: values.device,
    backend,
    plugins,
    workers,
    ...(recording && { recordings: await openRecordings(recording) }),
  });
  return { imagesPerSecond, againstBareStep: imagesPerSecond / bare, waitShare: waitSeconds / seconds, workers };
}

const results = [];
for (const one of DEVICE_CASES.filter(({ name }) => !wanted || wanted.includes(name))) {
  const recording = values.recordings && join(values.recordings, `${one.name}.recording`);
  if (recording && !existsSync(recording)) {
    console.error(`SKIPPED ${one.name}: there is no ${recording}`);
    continue;
  }
  try {
    const result = await measureCase(one, values, recording);
    printCase(result);
    const epoch = await epochOf(one, recording, result.peers[0].train);
    console.error(
      `  epoch with its loader: ${epoch.imagesPerSecond.toFixed(0)} img/s, ${epoch.againstBareStep.toFixed(2)} of the bare step; ${(100 * epoch.waitShare).toFixed(0)} % of it waiting for images (${workers} threads)`,
    );
    results.push({ ...result, epoch });
  } catch (error) {
    console.error(`FAILED ${one.name}: ${error.message}`);
    results.push({ case: one.name, error: error.message });
  }
}
const loaders = [];
for (let threads = 1; threads <= availableParallelism(); threads *= 2) {
  for (const [imageSize, images] of [
    [32, 20_000],
    [224, 1024],
  ]) {
    const { imagesPerSecond } = await benchLoader({ batch: 128, imageSize, images, workers: threads, rounds: 3 });
    loaders.push({ imageSize, threads, imagesPerSecond });
    console.error(
      `loader, crop and flip of ${imageSize} × ${imageSize}, ${threads} threads: ${imagesPerSecond.toFixed(0)} img/s`,
    );
  }
}
/** How often the images that a step takes are delivered: below 1 the device waits for them. */
const sizeOf = new Map(DEVICE_CASES.map(({ name, size }) => [name, size]));
for (const result of results.filter(({ error }) => !error)) {
  const most = Math.max(
    ...loaders
      .filter(({ imageSize }) => imageSize === sizeOf.get(result.case))
      .map(({ imagesPerSecond }) => imagesPerSecond),
  );
  result.loaderAgainstStep = most / result.peers[0].train;
  console.error(`${result.case}: loaders deliver ${result.loaderAgainstStep.toFixed(2)} times what the step takes`);
}
const report = { ...machine(), device: values.device, rounds: Number(values.rounds), results, loaders };
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
else console.log(JSON.stringify(report));
if (results.some(({ error }) => error)) process.exitCode = 1;
