import { mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { exportRun, loadPredictor, type PredictorSource } from 'tailmix/predict';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { tf } from '../../src/tf.ts';
import { predictLogits } from '../../src/trained/predict.ts';
import type { Predictor } from '../../src/trained/predictor.ts';
import { relativeDifference, trainedRun } from '../export/support.ts';
import { describeNative } from '../step/captured-support.ts';
import { picture } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';

const SIDE = 12;
const model = { name: 'small-cnn', width: 4 } as const;
const runOf = () => trainedRun({ model, shape: [SIDE, SIDE, 3] });

let root: string;
/** Files of pictures of the size that the network takes, which are then not scaled. */
const files: string[] = [];
const pictures = [0, 1, 2, 3, 4].map((seed) => picture(seed, SIDE, SIDE));

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-predictor-'));
  for (const [i, pixels] of pictures.entries()) {
    files.push(join(root, `${i}.png`));
    await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } }).toFile(files[i]!);
  }
});
afterAll(() => rm(root, { recursive: true }));

const wasm = { backend: 'wasm' } as const;

test('a file, its URL, its content and its pixels are one image', async () => {
  const run = await runOf();
  const predictor = await loadPredictor(run, wasm);
  const expected = predictLogits(run, [pictures[1]!])[0]!;
  const rgba = new Uint8ClampedArray(4 * SIDE * SIDE).fill(7);
  for (let i = 0; i < SIDE * SIDE; i++) for (let c = 0; c < 3; c++) rgba[4 * i + c] = pictures[1]![3 * i + c]!;
  const size = { width: SIDE, height: SIDE };
  const ways = [
    files[1]!,
    pathToFileURL(files[1]!),
    await readFile(files[1]!),
    new Uint8Array(await readFile(files[1]!)),
    { data: rgba, ...size },
    { data: pictures[1]!, ...size, channels: 3 as const },
  ];
  for (const image of ways) {
    const { logits, probabilities, top, features } = await predictor.predict(image, { top: 2 });
    expect(logits).toEqual(expected);
    expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    const best = Math.max(...probabilities);
    expect(top).toHaveLength(2);
    expect(top[0]).toEqual({
      class: run.info.classes[probabilities.indexOf(best)],
      label: probabilities.indexOf(best),
      probability: best,
    });
    expect(features).toHaveLength(run.info.featureSize);
  }
  await predictor.dispose();
});

test('features are what the classifier takes', async () => {
  const run = await runOf();
  const predictor = await loadPredictor(run, wasm);
  const { features, logits } = await predictor.predict(files[0]!);
  const kernel = run.snapshot.state['classifier/kernel']!.values;
  const bias = run.snapshot.state['classifier/bias']!.values;
  for (const [c, logit] of logits.entries()) {
    const sum = features.reduce((total, value, i) => total + value * kernel[i * logits.length + c]!, bias[c]!);
    expect(logit).toBeCloseTo(sum, 4);
  }
  await predictor.dispose();
});

test('two predictors in one process, asked at the same time, each say what they say alone', async () => {
  const [first, second] = [await runOf(), await trainedRun({ model: { name: 'mlp', width: 8 }, shape: [6, 6, 3] })];
  const alone = async (run: typeof first) => {
    const predictor = await loadPredictor(run, wasm);
    const predictions = await predictor.predict(files);
    await predictor.dispose();
    return predictions.map(({ logits }) => logits);
  };
  const expected = [await alone(first), await alone(second)];
  const predictors = await Promise.all([loadPredictor(first, wasm), loadPredictor(second, wasm)]);
  const answers = await Promise.all(
    files.flatMap((file) => predictors.map(async (predictor) => (await predictor.predict(file)).logits)),
  );
  const rows = (which: number) => answers.filter((_, i) => i % 2 === which);
  expect(relativeDifference(rows(0), expected[0]!)).toBeLessThan(1e-6);
  expect(relativeDifference(rows(1), expected[1]!)).toBeLessThan(1e-6);
  await predictors[0].dispose();
  expect((await predictors[1].predict(files[0]!)).logits).toEqual(rows(1)[0]);
  await predictors[1].dispose();
});

test('batches give what single images give; dispose frees all memory', async () => {
  const run = await runOf();
  const before = tf.memory().numTensors;
  const predictor = await loadPredictor(run, wasm);
  const [one, small, all] = [
    await Promise.all(files.map((file) => predictor.predict(file))),
    await predictor.predict(files, { batchSize: 2 }),
    await predictor.predict(files),
  ];
  for (const predictions of [one, small]) {
    const logits = (of: typeof one) => of.map((prediction) => prediction.logits);
    expect(relativeDifference(logits(predictions), logits(all))).toBeLessThan(1e-6);
  }
  expect(await predictor.predict([])).toEqual([]);
  await predictor.dispose();
  await predictor.dispose();
  expect(tf.memory().numTensors).toBe(before);
  expect(await messageOfError(() => predictor.predict(files[0]!), root)).toMatchInlineSnapshot(
    `"predict: the predictor is disposed. Load another one."`,
  );
});

test('a stream goes on after an image that cannot be read; predict names it', async () => {
  const predictor = await loadPredictor(await runOf(), wasm);
  await writeFile(join(root, 'text.png'), 'no image');
  const images = [files[0]!, join(root, 'text.png'), files[1]!, join(root, 'absent.png')];
  const answers = [];
  for await (const answer of predictor.stream(images, { batchSize: 3 })) answers.push(answer);
  expect(answers.map(({ image }) => image)).toEqual(images);
  expect(answers.map(({ error }) => error?.code)).toEqual([
    undefined,
    'IMAGE_UNREADABLE',
    undefined,
    'IMAGE_UNREADABLE',
  ]);
  expect(answers[2]!.prediction!.logits).toEqual((await predictor.predict(files[1]!)).logits);
  const wrong = async (...given: unknown[]) =>
    messageOfError(() => (predictor.predict as (...args: unknown[]) => Promise<unknown>)(...given), root);
  expect([
    await wrong(images),
    await wrong([files[0], Buffer.from('no image')]),
    await wrong(7),
    await wrong(null),
    await wrong(new URL('https://example.org/cat.jpg')),
    await wrong({ data: new Uint8Array(5), width: 2, height: 2 }),
    await wrong({ data: new Uint8Array(8), width: -2, height: 2, channels: 2 }),
    await wrong(files[0], { top: 0 }),
    await wrong(files[0], { batchSize: 1.5 }),
  ]).toMatchInlineSnapshot(`
    [
      "…/text.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Name another file.",
      "image 2: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Name another file.",
      "predict: expected image 1 as a path, the bytes of an image file, or { data, width, height }; got 7.",
      "predict: expected image 1 as a path, the bytes of an image file, or { data, width, height }; got null.",
      "predict: expected image 1 as a path, the bytes of an image file, or { data, width, height }; got "https://example.org/cat.jpg".",
      "predict: expected image 1 with 16 values (2 x 2 x 4); got 5.",
      "predict: expected image 1 with a width and a height above 0, and 1, 3 or 4 channels; got -2 x 2 x 2.",
      "predict: expected top as a whole number above 0; got 0.",
      "predict: expected batchSize as a whole number above 0; got 1.5.",
    ]
  `);
  await predictor.dispose();
});

describeNative('exports', () => {
  const formats = ['saved-model', 'tfjs', 'onnx'] as const;

  test('a predictor of any format says what that of the run says', { timeout: 60_000 }, async () => {
    const run = await trainedRun({ model, shape: [8, 9, 3], packShape: [10, 11, 3] });
    const own = await loadPredictor(run, { backend: 'native' });
    const expected = await own.predict(files);
    for (const format of formats) {
      const { folder } = await exportRun(run, { format, folder: join(root, 'export', format), backend: 'native' });
      const predictor: Predictor<PredictorSource> = await loadPredictor(folder);
      expect(predictor.from.export).toEqual({ folder, format, name: 'exported', epoch: 7 });
      expect(predictor.classes).toEqual(run.info.classes);
      const predictions = await predictor.predict(files);
      for (const key of ['logits', 'features', 'probabilities'] as const) {
        const values = (of: typeof expected) => of.map((prediction) => prediction[key]);
        expect(relativeDifference(values(predictions), values(expected)), `${format} ${key}`).toBeLessThan(1e-5);
      }
      await predictor.dispose();
    }
    await own.dispose();
  });

  test('an ONNX file that takes float32 is fed with it', async () => {
    const run = await runOf();
    const folder = join(root, 'float');
    await exportRun(run, { format: 'onnx', images: 'float32', folder, backend: 'native' });
    const [own, exported] = [await loadPredictor(run, { backend: 'native' }), await loadPredictor(folder)];
    const [expected, got] = [await own.predict(files[0]!), await exported.predict(files[0]!)];
    expect(relativeDifference([got.logits], [expected.logits])).toBeLessThan(1e-5);
    await own.dispose();
    await exported.dispose();
  });

  test('another backend is refused while a predictor lives', async () => {
    const run = await runOf();
    const predictor = await loadPredictor(run, { backend: 'native' });
    expect(await messageOfError(() => loadPredictor(run, wasm), root)).toMatchInlineSnapshot(
      `"backend wasm: a run or predictor of this process computes on native, and a process computes on one backend at a time. Use native here too, wait for that run to end (or dispose that predictor), or start another process."`,
    );
    await predictor.dispose();
    await (await loadPredictor(run, wasm)).dispose();
    await loadBackend('native');
  });

  test('a damaged export is named', async () => {
    const run = await runOf();
    const folder = join(root, 'damaged');
    await exportRun(run, { format: 'onnx', folder, backend: 'native' });
    const refused = () => messageOfError(() => loadPredictor(folder), root);
    const messages: string[] = [];
    const content = await readFile(join(folder, 'model.onnx'));
    await writeFile(join(folder, 'model.onnx'), content.subarray(0, 1000));
    messages.push(await refused());
    await unlink(join(folder, 'model.onnx'));
    messages.push(await refused());
    await writeFile(join(folder, 'preprocessing.json'), '{ "version": 2 }');
    messages.push(await refused());
    await unlink(join(folder, 'preprocessing.json'));
    messages.push(await refused());
    await writeFile(join(folder, 'classes.json'), '{ "name": "a", "epoch": 1, "classes": [] }');
    messages.push(await refused());
    expect(messages).toMatchInlineSnapshot(`
      [
        "…/damaged/model.onnx: expected a model of 5 classes; got "Load model from …/damaged/model.onnx failed:Protobuf parsing failed.". Export the run again.",
        "…/damaged: expected one of saved_model.pb, model.json, MLmodel, model.onnx; got none. Export the run again.",
        "…/damaged/preprocessing.json: expected \`exif\` as \`tailmix export\` writes it; got none, or another. Export the run again.",
        "…/damaged/preprocessing.json: expected a file of JSON; got none, or another. Export the run again.",
        "…/damaged/classes.json: expected \`classes\` as \`tailmix export\` writes it; got none, or another. Export the run again.",
      ]
    `);
  });
});

describe('the package', () => {
  test('has its door', async () => {
    const door = await import('tailmix/predict');
    expect(Object.keys(door).sort()).toEqual(['exportRun', 'loadPredictor', 'openRun']);
  });
});
