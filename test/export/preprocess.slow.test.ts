import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeInput } from '../../src/data/packed/decode.ts';
import { recordClassifier } from '../../src/export/classifier.ts';
import { openGraph, openTfjs } from '../../src/export/compare.ts';
import { exportRun, formats } from '../../src/export/index.ts';
import { tfjsModel } from '../../src/export/tfjs.ts';
import { openSession } from '../../src/graph/index.ts';
import type { TrainedRun } from '../../src/trained/open.ts';
import { predictLogits, rowsOf, softmax } from '../../src/trained/predict.ts';
import { concatenate } from '../../src/util/concatenate.ts';
import { describeNative } from '../step/captured-support.ts';
import { hasChromium } from '../support/chromium.ts';
import { runPython } from '../support/real-mlflow/read.ts';
import { hasMlflow } from '../support/real-mlflow/server.ts';
import { tensorflowPython } from '../support/tensorflow-python.ts';
import { inPage } from './page.ts';
import { type Photo, sureNetwork, unsureNetwork, writePhotos } from './photos.ts';

interface Module {
  preprocess(picture: object, preprocessing: object): Uint8Array;
}

const { InferenceSession, Tensor } = createRequire(import.meta.url)('onnxruntime-node');

/** A network with its exports in `<root>/<name>/<format>`, its photos, and the probabilities of `tailmix predict`. */
interface Case {
  name: 'sure' | 'unsure';
  run: TrainedRun;
  files: Photo[];
  expected: Float64Array[];
}

describeNative('a photo is classified as `tailmix predict` does', (use) => {
  let root: string;
  let cases: Case[];
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'tailmix-preprocess-'));
    const read = await writePhotos(root);
    const networks = { sure: await sureNetwork(read), unsure: await unsureNetwork(read) };
    cases = await Promise.all(
      (['sure', 'unsure'] as const).map(async (name) => {
        const run = networks[name];
        for (const format of formats) await exportRun(run, use(), { format, folder: join(root, name, format) });
        const files = await read(run);
        const images = files.map(({ own }) => own);
        return { name, run, files, expected: predictLogits(run, images).map(softmax) };
      }),
    );
  });
  afterAll(() => rm(root, { recursive: true }));

  /** Largest difference of grey levels, and the share that differs at all. */
  const differences = (got: Uint8Array, own: Uint8Array): { most: number; share: number } => {
    const off = Array.from(own, (value, at) => Math.abs(value - got[at]!));
    return { most: Math.max(...off), share: off.filter((each) => each > 0).length / off.length };
  };

  function expectSame({ expected, name }: Case, way: string, got: readonly Float64Array[]): void {
    for (const [i, probabilities] of expected.entries()) {
      const [first, second] = [...probabilities].sort((a, b) => b - a);
      const off = Math.max(...probabilities.map((p, c) => Math.abs(p - got[i]![c]!)));
      expect(off, `${name}, ${way}, photo ${i}`).toBeLessThanOrEqual(0.01);
      const best = (of: Float64Array): number => of.indexOf(Math.max(...of));
      if (first! - second! > 0.02) expect(best(got[i]!), `${way}, photo ${i}`).toBe(best(probabilities));
    }
  }

  /** A photo as a decoder gives it that turns it and has no alpha. */
  const upright = async ({ path }: Photo): Promise<{ data: Uint8Array; height: number; width: number }> => {
    const image = sharp(path, { autoOrient: true }).removeAlpha().raw();
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    return { data: new Uint8Array(data), height: info.height, width: info.width };
  };

  test('by a network that tells photos apart, and notices one that is not turned', async () => {
    const { run, files, expected } = cases[0]!;
    const { imageShape, packShape } = run.info;
    const best = expected.map((probabilities) => probabilities.indexOf(Math.max(...probabilities)));
    expect(best).toEqual(files.map((_, i) => i % 5));
    for (const [i, { path, orientation }] of files.entries()) {
      if (orientation === 1) continue;
      const lying = await decodeInput(path, imageShape, { packShape, exif: 'ignore' });
      const [got] = predictLogits(run, [lying]).map(softmax);
      expect(Math.max(...expected[i]!.map((p, c) => Math.abs(p - got![c]!))), path).toBeGreaterThan(0.05);
    }
  });

  test('by a network that is sure of nothing, and notices a single grey level', () => {
    const { run, files, expected } = cases[1]!;
    for (const [i, probabilities] of expected.entries()) {
      expect(Math.max(...probabilities), files[i]!.path).toBeLessThan(0.7);
    }
    const brighter = files.map(({ own }) => own.map((value) => Math.min(255, value + 1)));
    const moved = predictLogits(run, brighter).map(softmax);
    const off = moved.map((row, i) => Math.max(...row.map((p, c) => Math.abs(p - expected[i]![c]!))));
    expect(Math.max(...off)).toBeGreaterThan(0.01);
  });

  test('from what preprocess.mjs makes of it, to the bit, in every format', { timeout: 120_000 }, async () => {
    for (const each of cases) {
      const { name, run, files } = each;
      const folder = join(root, name);
      const { imageShape } = run.info;
      const { preprocess } = (await import(join(folder, 'onnx', 'preprocess.mjs'))) as Module;
      const recipe = JSON.parse(await readFile(join(folder, 'onnx', 'preprocessing.json'), 'utf8'));
      for (const format of formats) {
        for (const file of ['preprocess.mjs', 'preprocessing.json'])
          expect(await readFile(join(folder, format, file))).toEqual(await readFile(join(folder, 'onnx', file)));
      }
      const given: Uint8Array[] = [];
      for (const { path, orientation, own } of files) {
        const { data, info } = await sharp(path).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
        given.push(preprocess({ data, width: info.width, height: info.height, orientation }, recipe));
        expect(differences(given.at(-1)!, own), path).toEqual({ most: 0, share: 0 });
      }
      const images = concatenate(Uint8Array, given);
      const classifier = recordClassifier(run, use());
      const graph = openGraph(classifier, use());
      const tfjs = await openTfjs(tfjsModel(classifier), imageShape);
      const session = await InferenceSession.create(join(folder, 'onnx', 'model.onnx'));
      const onnx = await session.run({ images: new Tensor('uint8', images, [given.length, ...imageShape]) });
      const outputs = {
        'saved-model': graph.run(images, given.length).logits,
        tfjs: tfjs.run(images, given.length).logits,
        onnx: onnx.logits.data as Float32Array,
      };
      graph.dispose();
      tfjs.dispose();
      for (const [format, logits] of Object.entries(outputs)) {
        expectSame(each, format, rowsOf(logits, given.length).map(softmax));
      }
    }
  });

  test('by the SavedModel’s signature for photos', async () => {
    for (const each of cases) {
      const file = await readFile(join(root, each.name, 'saved-model', 'saved_model.pb'));
      const session = openSession(use().binding!, file);
      const got: Float64Array[] = [];
      for (const photo of each.files) {
        const { data, height, width } = await upright(photo);
        const feed = { name: 'photo:0', shape: [height, width, 3], values: data };
        const [logits] = session.run([feed], ['logits:0']);
        got.push(softmax(logits!.values as Float32Array));
      }
      session.dispose();
      expectSame(each, 'serving_photo', got);
    }
  });

  test.skipIf(tensorflowPython === undefined)(
    'in TensorFlow for Python, by the code in docs/export.md',
    async () => {
      const docs = await readFile(join(import.meta.dirname, '../../docs/export.md'), 'utf8');
      const [, code] = /^## Python\n\n```python\n(.*?)^```/ms.exec(docs)!;
      for (const each of cases) {
        const { name, run, files, expected } = each;
        const own = code!
          .replace("'runs/a/export/saved-model'", JSON.stringify(join(root, name, 'saved-model')))
          .replaceAll("'photo.jpg'", JSON.stringify(files[0]!.path));
        const rest = [
          `paths = ${JSON.stringify(files.map(({ path }) => path))}`,
          "photos = [of_photo(photo=tf.constant(np.asarray(upright(path))))['probabilities'] for path in paths]",
          "images = classify(images=tf.constant(np.stack([preprocess(path) for path in paths])))['probabilities']",
          'print(json.dumps([np.concatenate(photos).tolist(), images.numpy().tolist()]))',
        ];
        const program = join(root, 'photos.py');
        await writeFile(program, [own, ...rest].join('\n'));
        const { stdout } = await promisify(execFile)(tensorflowPython!, [program]);
        const [first, second, found] = stdout.trim().split('\n');
        const [photos, images] = (JSON.parse(found!) as number[][][]).map((rows) =>
          rows.map((p) => Float64Array.from(p)),
        );
        const best = run.info.classes[expected[0]!.indexOf(Math.max(...expected[0]!))];
        expect([first, second]).toEqual([best, `['${best}']`]);
        expectSame(each, 'Python, serving_photo', photos!);
        expectSame(each, 'Python, Pillow', images!);
      }
    },
    240_000,
  );

  test.skipIf(!hasMlflow('photos are not classified by a model in MLflow'))(
    'by the loader of a model in MLflow',
    async () => {
      for (const each of cases) {
        const paths = each.files.map(({ path }) => path);
        const got = await runPython<number[][]>('load_folder.py', [join(root, each.name, 'mlflow'), ...paths]);
        expectSame(
          each,
          'MLflow',
          got.map((probabilities) => Float64Array.from(probabilities)),
        );
      }
    },
    240_000,
  );

  test.skipIf(!hasChromium('photos are not classified in a browser'))(
    'in a browser, from a canvas',
    async () => {
      for (const each of cases) {
        const names = each.files.map(({ path }) => basename(path));
        const found = await inPage(root, (page) =>
          page.evaluate<number[][]>(`(${inBrowser})(${JSON.stringify(names)}, ${JSON.stringify(each.name)})`),
        );
        expectSame(
          each,
          'Chromium',
          found.map((probabilities) => Float64Array.from(probabilities)),
        );
      }
    },
    120_000,
  );

  test('by photo.onnx before model.onnx', async () => {
    for (const each of cases) {
      const folder = join(root, each.name, 'onnx');
      const before = await InferenceSession.create(join(folder, 'photo.onnx'));
      const model = await InferenceSession.create(join(folder, 'model.onnx'));
      const got: Float64Array[] = [];
      for (const photo of each.files) {
        const { data, height, width } = await upright(photo);
        const { images } = await before.run({ photo: new Tensor('uint8', data, [height, width, 3]) });
        const { logits } = await model.run({ images });
        got.push(softmax(logits.data));
        expect(differences(images.data, photo.own), photo.path).toEqual({ most: 0, share: 0 });
      }
      expectSame(each, 'photo.onnx', got);
    }
  });
});

/** Runs in the page: the code in docs/export.md, for each photo. */
const inBrowser = `async (names, folder) => {
  await tf.setBackend('cpu');
  const { preprocess } = await import('/' + folder + '/tfjs/preprocess.mjs');
  const recipe = await (await fetch('/' + folder + '/tfjs/preprocessing.json')).json();
  const model = await tf.loadGraphModel('/' + folder + '/tfjs/model.json');
  const found = [];
  for (const name of names) {
    const photo = new Image();
    photo.src = '/' + name;
    await photo.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [photo.naturalWidth, photo.naturalHeight];
    const context = canvas.getContext('2d');
    context.drawImage(photo, 0, 0);
    const image = context.getImageData(0, 0, canvas.width, canvas.height);
    const images = tf.tensor(preprocess(image, recipe), [1, ...recipe.shape], 'int32');
    found.push((await model.execute({ images }, 'probabilities').array())[0]);
  }
  return found;
}`;

test('wrong input is refused', async () => {
  const { preprocess } = await import('../../src/export/preprocess.ts');
  const sizes = { cover: [2, 2], interpolation: 'bilinear', shape: [2, 2, 3] } as const;
  const recipe = { exif: 'honour', colour: 'srgb', ...sizes } as const;
  expect(() => preprocess({ data: new Uint8Array(5), width: 2, height: 2 }, recipe)).toThrowError(
    'preprocess: expected 16 values (2 x 2 x 4); got 5.',
  );
});
