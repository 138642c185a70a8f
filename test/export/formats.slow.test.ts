import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import ema from '../../plugins/ema/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import { exportRun, formats } from '../../src/export/index.ts';
import { predictLogits, softmax } from '../../src/trained/predict.ts';
import { describeNative } from '../step/captured-support.ts';
import { hasChromium } from '../support/chromium.ts';
import { tensorflowPython } from '../support/tensorflow-python.ts';
import { inPage } from './page.ts';
import { noiseImages, relativeDifference, trainedRun } from './support.ts';

/** As a share of the largest logit: float32, summed in another order. */
const TOLERANCE = 1e-5;

const cases: Record<string, Parameters<typeof trainedRun>[0]> = {
  'small-cnn, grey, averaged and adjusted': {
    model: { name: 'small-cnn' },
    plugins: [ema({}), logitAdjustment({ mode: 'post-hoc' })],
    shape: [14, 10, 1],
  },
  'resnet32 with a cosine head': {
    model: { name: 'resnet32', head: 'cosine' },
    plugins: [ldam({})],
    shape: [16, 16, 3],
  },
  'resnet18-cifar': { model: { name: 'resnet18-cifar', width: 8 }, shape: [18, 15, 3], packShape: [20, 19, 3] },
  'resnext50-32x4d': { model: { name: 'resnext50-32x4d', width: 4 }, shape: [33, 32, 3] },
  'mobilenet-v2': { model: { name: 'mobilenet-v2', width: 0.1 }, shape: [32, 33, 3] },
  'vit-tiny-16': { model: { name: 'vit-tiny-16', width: 24, depth: 2, registers: 1 }, shape: [32, 48, 3] },
  'convnext-tiny': { model: { name: 'convnext-tiny', width: 4, head: 'cosine' }, shape: [34, 32, 3] },
};
const names = Object.keys(cases);

interface Outputs {
  logits: number[][];
  probabilities: number[][];
  one: number[][];
  classes: string[];
  /** Of the model's own metadata. */
  packShape?: number[];
}

describeNative('an exported classifier gives the logits of the run', (use) => {
  let root: string;
  /** By case. */
  const expected: Record<string, { logits: Float32Array[]; images: number[][]; classes: readonly string[] }> = {};
  const folderOf = (name: string, format: string): string => join(root, `${names.indexOf(name)}-${format}`);

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'tailmix-export-'));
    for (const [name, options] of Object.entries(cases)) {
      const run = await trainedRun(options);
      const images = noiseImages(run.info.imageShape, 3);
      const { classes } = run.info;
      expected[name] = { logits: predictLogits(run, images), images: images.map((image) => [...image]), classes };
      for (const format of formats) await exportRun(run, use(), { format, folder: folderOf(name, format) });
      const folder = folderOf(name, 'onnx-float32');
      await exportRun(run, use(), { format: 'onnx', folder, images: 'float32' });
    }
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  function expectSame(name: string, { logits, probabilities, one, classes }: Outputs): void {
    const own = expected[name]!;
    expect(relativeDifference(logits, own.logits), name).toBeLessThan(TOLERANCE);
    expect(relativeDifference(probabilities, own.logits.map(softmax)), name).toBeLessThan(TOLERANCE);
    expect(relativeDifference(one, own.logits.slice(0, 1)), name).toBeLessThan(TOLERANCE);
    expect(classes).toEqual(own.classes);
  }

  /** Runs a program that knows nothing of tailmix on the folders of a format; a list of what it found. */
  async function foundBy<Found>(program: string, script: string, format: string): Promise<Found[]> {
    const file = join(root, `${format}.json`);
    const given = names.map((name) => ({
      folder: folderOf(name, format),
      images: expected[name]!.images,
      shape: cases[name]!.shape,
    }));
    await writeFile(file, JSON.stringify(given));
    const path = join(import.meta.dirname, 'fixtures', script);
    const { stdout } = await promisify(execFile)(program, [path, file], { maxBuffer: 2 ** 26 });
    return JSON.parse(stdout) as Found[];
  }

  test.skipIf(tensorflowPython === undefined)(
    'in TensorFlow for Python, from uint8 and from float32',
    async () => {
      const found = await foundBy<Outputs & { float: number[][] }>(
        tensorflowPython!,
        'saved_model_logits.py',
        'saved-model',
      );
      for (const [i, name] of names.entries()) {
        expectSame(name, found[i]!);
        expect(found[i]!.float).toEqual(found[i]!.logits);
      }
    },
    240_000,
  );

  test('in TensorFlow.js in Node, on its cpu and wasm backends', async () => {
    const found = await foundBy<Record<'cpu' | 'wasm', Outputs>>(process.execPath, 'tfjs-logits.mjs', 'tfjs');
    for (const [i, name] of names.entries())
      for (const backend of ['cpu', 'wasm'] as const) {
        expectSame(name, found[i]![backend]);
        expect(found[i]![backend].packShape).toEqual(cases[name]!.packShape);
      }
  });

  test('in ONNX Runtime for Node, from uint8 and from float32', async () => {
    for (const format of ['onnx', 'onnx-float32']) {
      const found = await foundBy<Outputs>(process.execPath, 'onnx-logits.mjs', format);
      for (const [i, name] of names.entries()) {
        expectSame(name, found[i]!);
        expect(found[i]!.packShape).toEqual(cases[name]!.packShape);
      }
    }
  });

  describe.skipIf(!hasChromium('exported tfjs models are not loaded in a browser'))('in a browser', () => {
    test('with tf.loadGraphModel from a web server', async () => {
      await inPage(root, async (page) => {
        for (const name of names) {
          const given = {
            url: `/${names.indexOf(name)}-tfjs/model.json`,
            images: expected[name]!.images,
            shape: cases[name]!.shape,
          };
          expectSame(name, await page.evaluate<Outputs>(`(${inBrowser})(${JSON.stringify(given)})`));
        }
      });
    });
  });
});

/** Runs in the page. */
const inBrowser = `async ({ url, images, shape }) => {
  await tf.setBackend('cpu');
  const model = await tf.loadGraphModel(url);
  const fed = tf.tensor(images.flat(), [images.length, ...shape], 'int32');
  const named = ['logits', 'probabilities'];
  const [logits, probabilities] = model.execute({ images: fed }, named);
  const [one] = model.execute({ images: fed.slice(0, 1) }, named);
  return {
    logits: logits.arraySync(), probabilities: probabilities.arraySync(), one: one.arraySync(),
    classes: model.metadata.classes,
  };
}`;
