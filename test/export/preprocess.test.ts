import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeInput } from '../../src/data/packed/decode.ts';
import { recordClassifier } from '../../src/export/classifier.ts';
import { openGraph, openTfjs } from '../../src/export/compare.ts';
import { exportRun, formats } from '../../src/export/index.ts';
import { tfjsModel } from '../../src/export/tfjs.ts';
import { predictLogits, softmax } from '../../src/trained/predict.ts';
import { describeNative } from '../step/captured-support.ts';
import { trainedRun } from './support.ts';

/** A scene of our own: sky, ground, sun, a trunk with leaves, grain; `seed` moves all of it. */
function scene(seed: number, height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(height * width * 3);
  let state = seed + 1;
  const grain = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 24;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [x / width, y / height];
      const sun = Math.hypot(u - 0.2 - 0.05 * seed, v - 0.25) < 0.12;
      const trunk = Math.abs(u - 0.3 - 0.07 * seed) < 0.04 && v > 0.4;
      const ground = v > 0.65 + 0.05 * Math.sin(9 * u + seed);
      const base = sun
        ? [250, 220, 90]
        : trunk
          ? [90, 60, 40]
          : ground
            ? [60, 130 - 50 * v, 50]
            : [110, 160, 250 - 90 * v];
      for (let c = 0; c < 3; c++) pixels[(y * width + x) * 3 + c] = Math.min(255, Math.max(0, base[c]! + grain()));
    }
  }
  return pixels;
}

/** Photos of many sizes: height, width, EXIF orientation, format. */
const photos = [
  [300, 500, 1, 'jpeg'],
  [997, 1500, 1, 'jpeg'],
  [1200, 1600, 6, 'jpeg'],
  [2448, 3264, 1, 'jpeg'],
  [700, 500, 8, 'jpeg'],
  [333, 222, 3, 'png'],
  [61, 100, 5, 'png'],
  [40, 17, 1, 'png'],
  [12, 30, 7, 'png'],
] as const;

interface Module {
  preprocess(picture: object, preprocessing: object): Uint8Array;
}

describeNative('preprocess.mjs and preprocessing.json', (use) => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'tailmix-preprocess-'));
  });
  afterAll(() => rm(root, { recursive: true }));

  test('give what `tailmix predict` sees, and every format the same classes', { timeout: 300_000 }, async () => {
    const run = await trainedRun({
      model: { name: 'resnet18', width: 8 },
      shape: [32, 32, 3],
      packShape: [36, 40, 3],
    });
    const { imageShape, packShape } = run.info;
    for (const format of formats) await exportRun(run, use(), { format, folder: join(root, format) });
    const { preprocess } = (await import(join(root, 'onnx', 'preprocess.mjs'))) as Module;
    const recipe = JSON.parse(await readFile(join(root, 'onnx', 'preprocessing.json'), 'utf8'));
    for (const format of formats) {
      for (const file of ['preprocess.mjs', 'preprocessing.json'])
        expect(await readFile(join(root, format, file))).toEqual(await readFile(join(root, 'onnx', file)));
    }
    const own: Uint8Array[] = [];
    const given: Uint8Array[] = [];
    for (const [i, [height, width, orientation, format]] of photos.entries()) {
      const path = join(root, `${i}.${format}`);
      const file = sharp(scene(i, height, width), { raw: { width, height, channels: 3 } });
      await writeFile(path, await file.withMetadata({ orientation }).toFormat(format).toBuffer());
      own.push(new Uint8Array(await decodeInput(path, imageShape, { packShape, exif: run.exif })));
      const { data, info } = await sharp(path).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
      given.push(preprocess({ data, width: info.width, height: info.height, orientation }, recipe));
      const off = Array.from(own[i]!, (value, at) => Math.abs(value - given[i]![at]!));
      expect(off.reduce((a, b) => a + b) / off.length, path).toBeLessThan(1);
      expect(Math.max(...off), path).toBeLessThanOrEqual(8);
    }
    const size = imageShape[0] * imageShape[1] * imageShape[2];
    const images = new Uint8Array(given.length * size);
    for (const [i, image] of given.entries()) images.set(image, i * size);
    const shape = [given.length, ...imageShape];
    const classifier = recordClassifier(run, use());
    const rows = (all: ArrayLike<number>) =>
      given.map((_, i) =>
        softmax(Float32Array.from(all).slice((i * all.length) / given.length, ((i + 1) * all.length) / given.length)),
      );
    const graph = openGraph(classifier, use());
    const tfjs = await openTfjs(tfjsModel(classifier), imageShape);
    const { InferenceSession, Tensor } = createRequire(import.meta.url)('onnxruntime-node');
    const session = await InferenceSession.create(join(root, 'onnx', 'model.onnx'));
    const onnx = await session.run({ images: new Tensor('uint8', images, shape) });
    const outputs = {
      'saved-model': rows(graph.run(images, given.length).logits),
      tfjs: rows(tfjs.run(images, given.length).logits),
      onnx: rows(onnx.logits.data),
    };
    graph.dispose();
    tfjs.dispose();
    const expected = predictLogits(run, own).map(softmax);
    for (const [format, got] of Object.entries(outputs)) {
      for (const [i, probabilities] of expected.entries()) {
        const [first, second] = [...probabilities].sort((a, b) => b - a);
        const off = Math.max(...probabilities.map((p, c) => Math.abs(p - got[i]![c]!)));
        expect(off, `${format}, photo ${i}`).toBeLessThanOrEqual(0.01);
        const best = (of: Float64Array): number => of.indexOf(Math.max(...of));
        if (first! - second! > 0.02) expect(best(got[i]!), `${format}, photo ${i}`).toBe(best(probabilities));
      }
    }
  });
});

test('wrong input is refused', async () => {
  const { preprocess } = await import('../../src/export/preprocess.ts');
  const recipe = { version: 1, exif: 'honour', colour: 'srgb', cover: [2, 2], shape: [2, 2, 3] } as const;
  expect(() => preprocess({ data: new Uint8Array(5), width: 2, height: 2 }, recipe)).toThrowError(
    'preprocess: expected 16 values (2 x 2 x 4); got 5.',
  );
});
