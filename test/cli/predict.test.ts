import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { context } from '../../src/cli/context.ts';
import { loadData } from '../../src/data/load-data.ts';
import { createLoader } from '../../src/data/loader/loader.ts';
import { dataOptions } from '../../src/data/options.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { evaluate } from '../../src/train/evaluate.ts';
import { restore } from '../../src/train/open-run.ts';
import { openRun } from '../../src/trained/open.ts';
import { softmax } from '../../src/trained/predict.ts';
import { predictProgram } from '../../src/trained/predict-program.ts';
import { writeTree } from '../support/image-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

vi.setConfig({ testTimeout: 60_000 });

interface Document {
  checkpoint: string;
  epoch: number;
  classes: string[];
  predictions: { image: string; top: { class: string; label: number; probability: number }[]; logits: number[] }[];
}

/** Pixels of the first test image of each of some digits. */
async function digitImages(labels: readonly number[]): Promise<Uint8Array[]> {
  const { test } = await loadData(dataOptions.parse({ name: 'digits' }));
  if (test.split.pixels.kind !== 'memory') throw new Error('digits are in memory');
  const pixels = new Uint8Array(test.split.pixels.bytes);
  return labels.map((label) => {
    const row = test.indices.find((index) => test.split.labels[index] === label)!;
    return pixels.slice(row * 784, (row + 1) * 784);
  });
}

/** The perceptron of `quickRun`, by hand, in double precision. */
function forward(pixels: Uint8Array, state: Readonly<Record<string, { values: Float32Array }>>): number[] {
  const layer = (x: readonly number[], name: string): number[] => {
    const kernel = state[`${name}/kernel`]!.values;
    const bias = state[`${name}/bias`]!.values;
    return [...bias].map((b, j) => x.reduce((sum, value, i) => sum + value * kernel[i * bias.length + j]!, b));
  };
  const relu = (x: readonly number[]): number[] => x.map((value) => Math.max(value, 0));
  const input = [...pixels].map((value) => (value / 255 - 0.1307) / 0.3081);
  return layer(relu(layer(relu(layer(input, 'stage1')), 'stage2')), 'classifier');
}

/** A folder with a run `runs/a`. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailmix-predict-'));
  await writeFile(join(folder, 'run.yaml'), quickRun);
  await tailmix(folder, 'train', 'run.yaml', '--out', 'runs/a');
});
afterAll(() => rm(folder, { recursive: true }));

it('gives the logits of the newest checkpoint and names the likeliest classes', async () => {
  const images = await digitImages([0, 7]);
  const raw = { width: 28, height: 28, channels: 1 } as const;
  for (const [i, pixels] of images.entries())
    await sharp(pixels, { raw })
      .png()
      .toFile(join(folder, `${i}.png`));

  const { stdout, stderr } = await tailmix(folder, 'predict', 'runs/a', '0.png', '1.png', '--json', '--top', '2');
  expect(stderr).toBe('');
  const { checkpoint, epoch, classes, predictions } = JSON.parse(stdout) as Document;
  expect({ epoch, classes: classes.length, images: predictions.map(({ image }) => image) }).toEqual({
    epoch: 2,
    classes: 10,
    images: ['0.png', '1.png'],
  });
  const { state } = await readCheckpoint(checkpoint);
  for (const [i, { logits, top }] of predictions.entries()) {
    const expected = forward(images[i]!, state);
    for (const [label, logit] of logits.entries()) expect(logit).toBeCloseTo(expected[label]!, 4);
    const total = expected.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const ranked = expected.map((logit, label) => ({ label, probability: Math.exp(logit) / total }));
    ranked.sort((a, b) => b.probability - a.probability);
    expect(top.map(({ label }) => label)).toEqual(ranked.slice(0, 2).map(({ label }) => label));
    expect(top[0]!.probability).toBeCloseTo(ranked[0]!.probability, 5);
  }

  const shown = await tailmix(folder, 'predict', 'runs/a', '1.png');
  const [first, second] = predictions[1]!.top.map(
    ({ class: name, probability }) => `${name} ${(100 * probability).toFixed(2)} %`,
  );
  expect(shown.stdout).toContain(`1.png  ${first}, ${second}, `);

  await writeFile(join(folder, 'text.png'), 'no image');
  await sharp({ create: { ...raw, channels: 3, background: 'red' } })
    .png()
    .toFile(join(folder, 'red.png'));
  const failing = async (...args: string[]) => {
    const ended = await tailmix(folder, 'predict', ...args);
    expect(ended.code).toBeGreaterThan(0);
    expect(ended.stdout).not.toContain('%');
    return ended.stderr;
  };
  expect(await failing('runs/a', 'text.png')).toMatchInlineSnapshot(`
    "text.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Name another file.
    "
  `);
  expect(await failing('runs/a', 'absent.png')).toMatchInlineSnapshot(`
    "absent.png: expected a readable image; got "no file of that name, or a link to one that is gone". Name another file.
    "
  `);
  expect(await failing('runs/a', 'red.png')).toMatchInlineSnapshot(`
    "red.png: expected a grey image; got 3 colours. Convert it to what the run was trained on.
    "
  `);
  expect(await failing('nothing', '0.png')).toMatchInlineSnapshot(`
    "run "nothing": expected a run directory, or the name of a run in runs; found neither. Newest there: a.
    "
  `);
});

it('reads folders, and reports broken files at the end: tables, lines and documents', async () => {
  const raw = { width: 28, height: 28, channels: 1 } as const;
  await mkdir(join(folder, 'in/deep'), { recursive: true });
  await mkdir(join(folder, 'in/__MACOSX'));
  await mkdir(join(folder, 'empty/below'), { recursive: true });
  const [zero, seven] = await digitImages([0, 7]);
  for (const [name, pixels] of [
    ['b', zero!],
    ['=a', seven!],
    ['deep/c', zero!],
  ] as const)
    await sharp(pixels, { raw })
      .png()
      .toFile(join(folder, `in/${name}.png`));
  for (const name of ['in/broken.JPG', 'in/._b.png', 'in/notes.txt', 'in/__MACOSX/d.png', 'empty/below/e.txt'])
    await writeFile(join(folder, name), 'no image');
  const run = (...args: string[]) => tailmix(folder, 'predict', 'runs/a', ...args, '--top', '1');
  const broken =
    'in/broken.JPG: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Name another file.';

  const table = await run('in', '--csv');
  const cell = String.raw`(\d),(0\.\d+)`;
  expect(table.stdout).toMatch(
    new RegExp(`^image,class_1,probability_1,error\nin/=a.png,${cell},\nin/b.png,${cell},\nin/broken.JPG,,,".*"\n$`),
  );
  expect(table.code).toBe(1);
  expect(table.stderr).toBe(
    `in: 1 folder in it is left out; --recursive reads it\n1 of 3 images could not be read:\n${broken}\n`,
  );

  const lines = (await run('in', '--recursive', '--jsonl')).stdout.trimEnd().split('\n');
  const parsed = lines.map((line) => JSON.parse(line));
  expect(parsed.map(({ image }) => image)).toEqual(['in/=a.png', 'in/b.png', 'in/broken.JPG', 'in/deep/c.png']);
  expect(parsed[2]).toEqual({ image: 'in/broken.JPG', error: broken });
  expect(parsed[1].logits).toEqual(parsed[3].logits);

  const document = JSON.parse((await run('in', 'in/deep/c.png', '--json')).stdout);
  expect(document.predictions.map(({ image }: { image: string }) => image)).toEqual([
    'in/=a.png',
    'in/b.png',
    'in/deep/c.png',
  ]);
  expect(document.failed).toEqual([{ image: 'in/broken.JPG', error: broken }]);

  const shown = await run('in', '--recursive');
  expect(shown.stdout.split('\n').map((line) => line.split('  ')[0])).toEqual([
    'runs/a, epoch 2',
    'in/=a.png',
    'in/b.png',
    'in/deep/c.png',
    '',
  ]);
  expect([(await run('empty')).stderr, (await run('empty', '--recursive')).stderr]).toMatchInlineSnapshot(`
    [
      "empty: expected image files; there is none. --recursive looks into the folders in it.
    ",
      "empty: expected image files; there is none. Name files, or another folder.
    ",
    ]
  `);
  expect((await run('in', '--csv', '--json')).code).toBe(2);
});

it.each([
  ['imageSize: 5, packSize: [8, 9]', [8, 9, 3]],
  ['imageSize: 5', undefined],
])('gives the probabilities of evaluation with %s', async (sizes, packShape) => {
  const folder = await temporaryFolder();
  const written = await writeTree(join(folder, 'images'), { train: { a: 3, b: 3 }, test: { a: 3, b: 2 } }, [17, 12]);
  const data = `{ name: image-folder, root: images, workers: 0, ${sizes} }`;
  await writeFile(
    join(folder, 'run.yaml'),
    `name: packed\ndata: ${data}\nmodel: { name: mlp, width: 8 }\ntrain: { epochs: 1, batchSize: 3, step: eager }\n`,
  );
  const trained = await tailmix(folder, 'train', 'run.yaml', '--out', 'runs/a');
  expect(trained.stderr).not.toContain('expected');
  const files = [...written.keys()].filter((path) => path.includes('/test/'));
  const { stdout } = await tailmix(folder, 'predict', 'runs/a', ...files, '--json');
  const { predictions } = JSON.parse(stdout) as Document;

  const run = await openRun(join(folder, 'runs/a'), context);
  expect(run.info.packShape).toEqual(packShape);
  await loadBackend('wasm');
  const program = predictProgram(run, 2);
  const engine = createEagerEngine(program);
  restore(run.snapshot, run.composition, program, engine);
  const evaluated: number[][] = [];
  const recording: typeof engine = {
    ...engine,
    run(signature, feeds) {
      const outputs = engine.run(signature, feeds);
      const logits = outputs.logits as Float32Array;
      for (let row = 0; row < 2; row++) evaluated.push([...softmax(logits.slice(2 * row, 2 * row + 2))]);
      return outputs;
    },
  };
  const images = await loadData(
    dataOptions.parse({
      name: 'image-folder',
      root: join(folder, 'images'),
      imageSize: 5,
      ...(packShape && { packSize: [8, 9] }),
    }),
    { cache: await temporaryFolder() },
  );
  const loader = createLoader({ shape: run.info.imageShape, augment: [], seed: 0, workers: 0 });
  await evaluate(recording, program.signatures[0]!, loader, images.test, run.info);
  engine.dispose();
  const predicted = predictions.map(({ logits }) => [...softmax(Float32Array.from(logits))]);
  expect(predicted).toHaveLength(5);
  expect(new Set(predicted.map(String)).size).toBe(5);
  for (const [i, row] of predicted.entries())
    for (const [label, probability] of row.entries()) expect(probability).toBeCloseTo(evaluated[i]![label]!, 6);
});
