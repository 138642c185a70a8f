// The same network as a user of tfjs-node would write it: a tf.layers model, tf.train.momentum and a loop of
// optimizer.minimize, without Mixup, weight decay or any kernel of ours. The same protocol as pytorch_step.py.

import { resourceUsage } from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { loadNative } from '../dist/src/backend/native.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    batch: { type: 'string', default: '128' },
    size: { type: 'string', default: '32' },
  },
  strict: false,
});
const batch = Number(values.batch);
const size = Number(values.size);
loadNative('native');
await tf.setBackend('tensorflow');

const conv = (x, filters, strides) =>
  tf.layers.conv2d({ filters, kernelSize: 3, strides, padding: 'same', useBias: false }).apply(x);
const norm = (x) => tf.layers.batchNormalization({ momentum: 0.9, epsilon: 1e-5 }).apply(x);
const relu = (x) => tf.layers.reLU().apply(x);
const block = (x, filters, strides) => {
  const y = norm(conv(relu(norm(conv(x, filters, strides))), filters, 1));
  const shortcut =
    strides === 1 ? x : norm(tf.layers.conv2d({ filters, kernelSize: 1, strides, useBias: false }).apply(x));
  return relu(tf.layers.add().apply([y, shortcut]));
};
const input = tf.input({ shape: [size, size, 3] });
let x = relu(norm(conv(input, 16, 1)));
for (const [filters, first] of [
  [16, 1],
  [32, 2],
  [64, 2],
]) {
  for (let i = 0; i < 5; i++) x = block(x, filters, i === 0 ? first : 1);
}
const model = tf.model({
  inputs: input,
  outputs: tf.layers.dense({ units: 10 }).apply(tf.layers.globalAveragePooling2d({}).apply(x)),
});
const optimizer = tf.train.momentum(0.1, 0.9);
const pixels = Array.from({ length: 8 }, () => tf.randomUniform([batch, size, size, 3], 0, 256, 'int32').dataSync());
const labels = Array.from({ length: 8 }, () => tf.randomUniform([batch], 0, 10, 'int32').dataSync());

const train = (step) =>
  tf.tidy(() => {
    const images = tf
      .tensor4d(pixels[step % 8], [batch, size, size, 3])
      .div(255)
      .sub(0.5)
      .div(0.25);
    const targets = tf.oneHot(tf.tensor1d(labels[step % 8], 'int32'), 10);
    const loss = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(targets, model.apply(images, { training: true })),
      true,
    );
    return loss.dataSync()[0];
  });
const predict = (step) =>
  tf.tidy(() =>
    model
      .apply(
        tf
          .tensor4d(pixels[step % 8], [batch, size, size, 3])
          .div(255)
          .sub(0.5)
          .div(0.25),
      )
      .dataSync(),
  );
const work = { train, predict };

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
for (const run of Object.values(work)) run(0);
say({ ready: true, version: tf.version_core });
for await (const line of createInterface({ input: process.stdin })) {
  const [name, steps] = line.split(' ');
  if (name === 'quit') break;
  const start = performance.now();
  for (let step = 0; step < Number(steps); step++) work[name](step);
  const imagesPerSecond = (Number(steps) * batch * 1000) / (performance.now() - start);
  say({ imagesPerSecond, peakMemoryBytes: resourceUsage().maxRSS * 1024 });
}
