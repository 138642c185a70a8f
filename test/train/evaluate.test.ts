import { expect, test } from 'vitest';
import { createLoader } from '../../src/data/loader/loader.ts';
import type { Loader, Split, StepRows } from '../../src/data/types.ts';
import type { Signature } from '../../src/graph/index.ts';
import type { Engine } from '../../src/step/types.ts';
import { evaluate, evaluationBatch, logitsOf } from '../../src/train/evaluate.ts';
import { smallInfo } from '../support/info.ts';
import { squares } from '../support/squares.ts';

const PIXELS = 8 * 8 * 3;
const predict = (size: number): Signature => ({
  call: 'predict',
  variants: {},
  inputs: { images: { shape: [size, 8, 8, 3], dtype: 'uint8' } },
});

/** Evaluates 20 squares by their colours, `size` at a time. */
async function evaluateBy(size: number) {
  const { test: subset } = squares();
  const fed: Uint8Array[] = [];
  const loads: { steps: readonly StepRows[]; epoch: number; augmented: boolean }[] = [];
  const [loaded, released]: [Uint8Array[], Uint8Array[]] = [[], []];
  const inner = createLoader({ shape: [8, 8, 3], augment: [], seed: 0, workers: 0 });
  const loader: Loader = {
    ...inner,
    async *load(split, steps, epoch, augmented) {
      loads.push({ steps, epoch, augmented });
      for await (const rows of inner.load(split, steps, epoch, augmented)) {
        loaded.push(rows.images);
        yield { ...rows, release: () => void released.push(rows.images) };
      }
    },
  };
  const engine: Pick<Engine, 'run'> = {
    run(_, given) {
      const images = given.images as Uint8Array;
      fed.push(images);
      /** Whether the label of a row has the bit that a channel shows: its mean is then 190 and not 120. */
      const isSet = (row: number, channel: number): boolean => {
        const values = images.slice(row * PIXELS, (row + 1) * PIXELS).filter((_value, i) => i % 3 === channel);
        return values.reduce((a, b) => a + b, 0) / values.length > 155;
      };
      const logits = Float32Array.from({ length: 4 * size }, (_value, i) => {
        const row = Math.floor(i / 4);
        const label = Number(isSet(row, 0)) + 2 * Number(isSet(row, 1));
        return i % 4 === label ? 9 : 0;
      });
      return { logits };
    },
  };
  const { evaluation } = await evaluate(engine as Engine, predict(size), loader, subset, smallInfo());
  await inner.close();
  return { evaluation, fed, loads, loaded, released };
}

test('every image is seen once, in order and unaugmented, whatever the batch size', async () => {
  for (const [size, batches] of [
    [20, 1],
    [6, 4],
    [5, 4],
    [30, 1],
  ] as const) {
    const { evaluation, fed, loads, loaded, released } = await evaluateBy(size);
    expect(evaluation).toMatchObject({ count: 20, accuracy: 1 });
    expect(evaluation.confusion).toEqual([
      [0, 0, 5],
      [1, 1, 5],
      [2, 2, 5],
      [3, 3, 5],
    ]);
    expect(fed.map(({ length }) => length)).toEqual(new Array(batches).fill(size * PIXELS));
    expect(loads).toMatchObject([{ epoch: 0, augmented: false }]);
    const rows = squares().test.indices;
    expect(loads[0]!.steps.flatMap(({ indices }) => [...indices])).toEqual([...rows]);
    expect(loads[0]!.steps.flatMap(({ positions }) => [...positions])).toEqual([...rows.keys()]);
    expect(released).toEqual(loaded);
  }
});

test('a last batch that is not full is filled up with zeros; a full one is not copied', async () => {
  const { fed, loaded } = await evaluateBy(6);
  expect(fed.slice(0, 3).map((images, i) => images === loaded[i])).toEqual([true, true, true]);
  expect(fed[3]!.subarray(0, 2 * PIXELS)).toEqual(loaded[3]);
  expect(fed[3]!.subarray(2 * PIXELS)).toEqual(new Uint8Array(4 * PIXELS));
});

test.each([
  { side: 1, trained: 128, batch: 500 },
  { side: 32, trained: 128, batch: 500 },
  { side: 33, trained: 128, batch: 470 },
  { side: 64, trained: 16, batch: 125 },
  { side: 64, trained: 128, batch: 128 },
  { side: 224, trained: 8, batch: 10 },
  { side: 224, trained: 32, batch: 32 },
  { side: 224, trained: 1000, batch: 500 },
  { side: 2048, trained: 1, batch: 1 },
])('at $side pixels, and $trained images a step, $batch are evaluated at once', ({ side, trained, batch }) => {
  const info = { imageShape: [side, side, 3], batchSize: trained } as const;
  expect(evaluationBatch({}, info, 10_000)).toBe(batch);
  expect(evaluationBatch({ batchSize: 7 }, info, 10_000)).toBe(7);
  expect(evaluationBatch({}, info, 1)).toBe(1);
  expect(evaluationBatch({ batchSize: 7 }, info, 6)).toBe(6);
});

test('five crops of an image: their logits are averaged, the corners and the centre, whatever threads there are', async () => {
  const [height, width, count] = [5, 7, 3];
  const bytes = new SharedArrayBuffer(count * height * width);
  // A pixel says where it is: 10 × row + column, and 100 × image.
  new Uint8Array(bytes).set(
    Array.from({ length: count * height * width }, (_, i) => {
      const [image, place] = [Math.floor(i / (height * width)), i % (height * width)];
      return 100 * image + 10 * Math.floor(place / width) + (place % width);
    }),
  );
  const split: Split = {
    name: 'test',
    labels: Int32Array.of(0, 1, 0),
    pixels: { kind: 'memory', bytes, shape: [height, width, 1] },
  };
  const fed: number[][] = [];
  const engine: Pick<Engine, 'run'> = {
    run(_, given) {
      const images = given.images as Uint8Array;
      fed.push([...images]);
      // The first pixel of a crop is its logit of class 0.
      return { logits: Float32Array.from({ length: 4 }, (_value, i) => (i % 2 === 0 ? images[(i / 2) * 6]! : 50)) };
    },
  };
  const inputs = { images: { shape: [2, 2, 3, 1], dtype: 'uint8' } } as const;
  const signature: Signature = { call: 'predict', variants: {}, inputs };
  for (const workers of [0, 2]) {
    const loader = createLoader({ shape: [2, 3, 1], augment: [], crops: 'five', seed: 0, workers });
    fed.length = 0;
    const got: [number[], number[], number[]][] = [];
    for await (const { logits, labels, indices } of logitsOf(
      engine as Engine,
      signature,
      loader,
      { split, indices: Int32Array.of(2, 0, 1) },
      2,
    )) {
      got.push([[...logits], [...labels], [...indices]]);
    }
    await loader.close();
    // torchvision's order: top left, top right, bottom left, bottom right, centre.
    const begins = [0, 4, 30, 34, 22];
    expect(fed.map((images) => images[0])).toEqual([...begins.map((at) => 200 + at), ...begins.map((at) => 100 + at)]);
    expect(fed[0]!.slice(0, 6)).toEqual([200, 201, 202, 210, 211, 212]);
    const mean = begins.reduce((a, b) => a + b) / 5;
    expect(got).toEqual([
      [
        [200 + mean, 50, mean, 50],
        [0, 0],
        [2, 0],
      ],
      [[100 + mean, 50], [1], [1]],
    ]);
  }
});

test('where an engine can run ahead, a batch is read while the next one is computed', async () => {
  const said: string[] = [];
  let started = 0;
  const engine: Pick<Engine, 'start'> = {
    start() {
      const batch = ++started;
      said.push(`started ${batch}`);
      return () => {
        said.push(`read ${batch}`);
        return { logits: new Float32Array(4 * 8).fill(batch) };
      };
    },
  };
  const loader = createLoader({ shape: [8, 8, 3], augment: [], seed: 0, workers: 0 });
  const { test: subset } = squares();
  const seen: [batch: number, rows: number, label: number][] = [];
  for await (const { logits, labels, indices } of logitsOf(engine as Engine, predict(8), loader, subset, 4)) {
    expect(labels).toHaveLength(indices.length);
    expect(logits).toHaveLength(4 * indices.length);
    seen.push([logits[0]!, labels.length, labels[0]!]);
  }
  await loader.close();
  expect(said).toEqual(['started 1', 'started 2', 'read 1', 'started 3', 'read 2', 'read 3']);
  expect(seen).toEqual([
    [1, 8, 0],
    [2, 8, 1],
    [3, 4, 3],
  ]);
});
