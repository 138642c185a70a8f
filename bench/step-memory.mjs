// Memory of the captured step over many steps: JSON on stdout, exit code 1 if it grows.
//
//   npm run build && node bench/step-memory.mjs [--steps 5000] [--model small-cnn] [--batch 32]

import { memoryUsage } from 'node:process';
import { parseArgs } from 'node:util';
import tf from '@tensorflow/tfjs';
import { registry } from '../dist/plugins/index.js';
import { loadBackend } from '../dist/src/backend/load.js';
import { openStepBench } from '../dist/src/bench/step.js';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: { steps: option('5000'), model: option('small-cnn'), batch: option('32'), step: option('captured') },
});
/** Growth over the second half that counts as a leak, in bytes. */
const TOLERATED = 8 * 2 ** 20;
const SAMPLES = 10;

const plugins = await Promise.all(['mixup', 'remix'].map(async (name) => (await registry[name]()).default()));
const bench = await openStepBench({
  model: values.model,
  batch: Number(values.batch),
  imageSize: 32,
  classes: 10,
  precision: 'fp32',
  step: values.step,
  backend: 'native',
  plugins,
});
const { binding } = await loadBackend('native');
const samples = [];
for (let sample = 0; sample < SAMPLES; sample++) {
  bench.time('train', Math.ceil(Number(values.steps) / SAMPLES));
  bench.time('predict', 1);
  globalThis.gc?.();
  samples.push({
    rssBytes: memoryUsage().rss,
    tensors: tf.memory().numTensors,
    nativeTensors: binding.getNumOfTensors(),
  });
}
await bench.close();
const [middle, last] = [samples[SAMPLES / 2 - 1], samples[SAMPLES - 1]];
const growth = last.rssBytes - middle.rssBytes;
const flat = growth < TOLERATED && last.tensors === middle.tensors && last.nativeTensors === middle.nativeTensors;
process.stdout.write(`${JSON.stringify({ ...values, flat, growthBytes: growth, samples }, null, 2)}\n`);
process.exitCode = flat ? 0 : 1;
