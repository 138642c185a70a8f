import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { batchNorm } from '../../src/backend/kernels/index.ts';
import { recordClassifier } from '../../src/export/classifier.ts';
import { exportRun } from '../../src/export/index.ts';
import { mappings } from '../../src/export/onnx/ops.ts';
import type { Model } from '../../src/models/types.ts';
import { ofRank, tf } from '../../src/tf.ts';
import { predictLogits } from '../../src/trained/predict.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { describeNative, wave } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { noiseImages, relativeDifference, trainedRun } from './support.ts';

type Compute = (x: tf.Tensor4D) => tf.Tensor;

const kernel = (...shape: number[]): tf.Tensor => tf.tensor(wave(sizeOf(shape), shape.length), shape);
const conv = (x: tf.Tensor4D): tf.Tensor4D => tf.conv2d(x, kernel(3, 3, 3, 4) as tf.Tensor4D, 1, 'same');
const positive = (x: tf.Tensor): tf.Tensor => x.abs().add(0.5);

/** `x` is `[n, 7, 6, 3]`. */
const cases: Record<string, Compute> = {
  'convolution, SAME, stride 2': (x) => tf.conv2d(x, kernel(3, 3, 3, 4) as tf.Tensor4D, 2, 'same'),
  'convolution, SAME, even kernel': (x) => tf.conv2d(x, kernel(2, 4, 3, 4) as tf.Tensor4D, [2, 1], 'same'),
  'convolution, VALID, dilated': (x) => tf.conv2d(x, kernel(3, 2, 3, 4) as tf.Tensor4D, 1, 'valid', 'NHWC', 2),
  'convolution, explicit': (x) =>
    tf.conv2d(x, kernel(3, 3, 3, 4) as tf.Tensor4D, 2, [
      [0, 0],
      [2, 1],
      [0, 1],
      [0, 0],
    ] as tf.backend_util.ExplicitPadding),
  'convolution with a computed kernel': (x) =>
    tf.conv2d(
      x,
      x
        .mean([0, 1, 2])
        .mul(0)
        .reshape([1, 1, 3, 1])
        .add(kernel(2, 2, 3, 4)),
      1,
      'same',
    ),
  'depthwise convolution': (x) => tf.depthwiseConv2d(x, kernel(3, 3, 3, 2) as tf.Tensor4D, 2, 'same'),
  'average pooling, SAME': (x) => tf.avgPool(x, 3, 2, 'same'),
  'average pooling, VALID': (x) => tf.avgPool(x, [2, 3], 1, 'valid'),
  'max pooling, SAME': (x) => tf.maxPool(x.sub(3), 3, 2, 'same'),
  padding: (x) =>
    tf.pad(
      conv(x),
      [
        [0, 0],
        [1, 2],
        [0, 1],
        [2, 0],
      ],
      -1.5,
    ),
  'padding of what was not convolved': (x) =>
    tf.pad(x, [
      [0, 0],
      [1, 0],
      [0, 0],
      [0, 3],
    ]),
  'batch norm after a convolution, and without one': (x) => {
    const [scale, shift, mean, variance] = [kernel(3), kernel(3), kernel(3).mul(2), positive(kernel(3))];
    const norm = (y: tf.Tensor): tf.Tensor => batchNorm(y, scale!, shift!, mean!, variance!, { training: false }).y;
    return norm(norm(tf.conv2d(x, kernel(3, 3, 3, 3) as tf.Tensor4D, 1, 'same')).relu());
  },
  'a vector, a matrix and an image broadcast to channels first': (x) =>
    conv(x)
      .add(kernel(4))
      .mul(kernel(6, 1))
      .sub(kernel(7, 6, 4))
      .mul(2),
  'a computed vector broadcast to channels first': (x) => conv(x).add(x.mean([0, 1, 2]).sum().mul(0).add(kernel(4))),
  'sum of both layouts': (x) => conv(x).slice([0, 0, 0, 0], [-1, 7, 6, 3]).add(x).add(conv(x).mean(3, true)),
  'mean over the image': (x) => conv(x).mean([1, 2]),
  'mean over the image, kept': (x) => conv(x).sub(conv(x).mean([1, 2], true)),
  'sum over channels': (x) => conv(x).sum(3),
  'sum over negative axes, kept': (x) => conv(x).mul(conv(x).sum([-1, -2], true)),
  'max, min and product': (x) => conv(x).max(1).add(conv(x).min(1)).add(conv(x).div(9).prod(1)),
  'concatenation of channels': (x) => tf.concat([conv(x), tf.maxPool(conv(x), 3, 1, 'same')], -1),
  'concatenation of both layouts': (x) => tf.concat([conv(x), x], 3),
  'functions of one number': (x) => {
    const y = conv(x);
    const all = [
      y.abs(),
      y.ceil(),
      y.cos(),
      y.erf(),
      y.exp(),
      y.floor(),
      positive(y).log(),
      y.neg(),
      y.round(),
      y.sigmoid(),
    ];
    const more = [
      y.sign(),
      y.sin(),
      y.softplus(),
      y.tanh(),
      positive(y).sqrt(),
      positive(y).rsqrt(),
      positive(y).reciprocal(),
    ];
    return tf.concat([...all, ...more, y.relu(), y.relu6(), y.elu(), y.selu(), y.leakyRelu(0.3), y.square()], 3);
  },
  'functions of two numbers': (x) => {
    const [y, z] = [conv(x), conv(x.square())];
    const isMore = y.greater(z).logicalAnd(y.less(1)).logicalOr(z.greaterEqual(0.5)).logicalNot();
    const chosen = tf.where(isMore, y, z).add(y.lessEqual(z).cast('float32')).add(y.equal(y).cast('float32'));
    return tf.addN([
      chosen,
      y.maximum(z),
      y.minimum(z),
      positive(y).pow(1.5),
      y.squaredDifference(z),
      y.div(positive(z)),
      y.sub(z),
    ]);
  },
  'slices, tiles and axes': (x) => {
    const y = conv(x).slice([0, 1, 0, 2], [-1, 3, 6, 2]);
    const turned = y.transpose([0, 2, 3, 1]).expandDims(1).squeeze([1]);
    return tf.tile(turned, [1, 2, 1, 1]).gather([2, 0, 1, 1], 3);
  },
  'matrix products, transposed': (x) => {
    const rows = conv(x).mean([1, 2]);
    return tf
      .matMul(rows, kernel(6, 4), false, true)
      .add(tf.matMul(rows.transpose(), kernel(4, 6), true).mean(0).mul(0));
  },
  'softmax and its logarithm': (x) => tf.softmax(conv(x)).add(tf.logSoftmax(conv(x))),
  'one pixel as a vector': (x) => tf.avgPool(conv(x), [7, 6], 1, 'valid').reshape([x.shape[0], 4]),
};

/** Five logits of anything with a row per image. */
const modelOf = (compute: Compute): Model => ({
  name: 'own',
  weights: [{ name: 'unused', shape: [1], kind: 'kernel', initial: () => new Float32Array(1) }],
  stages: ['input'],
  featureSize: 1,
  forward(_, images) {
    const rows = compute(ofRank(images, 4)).reshape<tf.Tensor2D>([images.shape[0]!, -1]);
    return { logits: rows.matMul(kernel(rows.shape[1], 5)), features: rows.slice([0, 0], [-1, 1]), statistics: {} };
  },
});

describeNative('ONNX', (use) => {
  const shape = [7, 6, 3] as const;

  test('has each mapped op compute what TensorFlow computes', async () => {
    const root = await temporaryFolder();
    const images = noiseImages(shape, 3);
    const expected: Float32Array[][] = [];
    const given: unknown[] = [];
    const seen = new Set<string>();
    for (const [i, compute] of Object.values(cases).entries()) {
      const folder = join(root, String(i));
      const run = await trainedRun({ model: modelOf(compute), shape });
      for (const node of recordClassifier(run, use()).recording.nodes) if (node.kind === 'op') seen.add(node.op);
      await exportRun(run, use(), { format: 'onnx', folder });
      expected.push(predictLogits(run, images));
      given.push({ folder, shape, images: images.map((image) => [...image]) });
    }
    expect(Object.keys(mappings).filter((op) => !seen.has(op))).toEqual([]);
    await writeFile(join(root, 'cases.json'), JSON.stringify(given));
    const script = join(import.meta.dirname, 'fixtures', 'onnx-logits.mjs');
    const { stdout } = await promisify(execFile)(process.execPath, [script, join(root, 'cases.json')], {
      maxBuffer: 2 ** 26,
    });
    const found = JSON.parse(stdout) as { logits: number[][] }[];
    const differences = Object.keys(cases).map(
      (name, i) => [name, relativeDifference(found[i]!.logits, expected[i]!)] as const,
    );
    expect(differences.filter(([, difference]) => !(difference < 1e-5))).toEqual([]);
  });

  test('refuses an op that is not mapped, by its name', async () => {
    const folder = join(await temporaryFolder(), 'model');
    const run = await trainedRun({ model: modelOf((x) => x.cumsum(1)), shape });
    expect(await messageOfError(() => exportRun(run, use(), { format: 'onnx', folder }))).toMatchInlineSnapshot(
      `"export: expected ops that ONNX can be written with; got Cumsum. Use another --format."`,
    );
  });
});
