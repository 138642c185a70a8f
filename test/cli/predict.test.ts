import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it, vi } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { context } from '../../src/cli/context.ts';
import { loadData } from '../../src/data/load-data.ts';
import { createLoader } from '../../src/data/loader/loader.ts';
import { dataOptions } from '../../src/data/options.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { evaluate } from '../../src/train/evaluate.ts';
import { restore } from '../../src/train/open-run.ts';
import { openTrained, predictProgram } from '../../src/trained/open.ts';
import { softmax } from '../../src/trained/predict.ts';
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

it('gives the logits of the newest checkpoint and names the likeliest classes', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  await tailmix(folder, 'train', 'run.yaml', '--out', 'runs/a');
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
    expect(ended.stdout).toBe('');
    return ended.stderr;
  };
  expect(await failing('runs/a', '0.png', 'text.png')).toMatchInlineSnapshot(`
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

  const run = await openTrained(join(folder, 'runs/a'), context);
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
