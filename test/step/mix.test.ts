import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { mixAt } from '../../src/step/mix.ts';
import { tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';

beforeAll(async () => {
  await loadBackend();
});

/** What a step of two trained rows is fed, in a pool of as many rows as `matrix` has columns. */
const feeds = (matrix: number[][], mask: number[] = []) => ({
  labels: tf.tensor1d([0, 1], 'int32'),
  images: tf.zeros([matrix[0]!.length, 1, 2, 1]),
  mixMatrix: tf.tensor2d(matrix),
  ...(mask.length > 0 && { mixMask: tf.tensor4d(mask, [1, 1, 2, 1]) }),
});

/** Rows i of features `[rows, 1, 2, 1]`: 10·i and 10·i + 1. */
const rowsOf = (rows: number): tf.Tensor =>
  tf.tensor(Array.from({ length: 2 * rows }, (_, i) => 10 * Math.floor(i / 2) + (i % 2))).reshape([rows, 1, 2, 1]);
const numbers = (tensor: tf.Tensor) => ({ shape: tensor.shape, values: [...tensor.dataSync()] });

const pool = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
];
const batch = [
  [1, 0],
  [0, 1],
];

describe('where nothing mixes', () => {
  test('the input is cut to the trained rows, and is left alone where it has no others', () => {
    expect(numbers(mixAt('input', rowsOf(4), undefined, feeds(pool)))).toEqual({
      shape: [2, 1, 2, 1],
      values: [0, 1, 10, 11],
    });
    for (const matrix of [batch, pool]) {
      const features = rowsOf(2);
      expect(mixAt('input', features, undefined, feeds(matrix))).toBe(features);
    }
  });

  test('later stages are left alone, whatever rows they have', () => {
    for (const rows of [2, 3, 4]) {
      const features = rowsOf(rows);
      expect(mixAt('stage1', features, undefined, feeds(pool))).toBe(features);
    }
  });

  test('other rows than those of the batch or the pool are refused', async () => {
    const refused = (matrix: number[][]) => messageOfError(() => mixAt('input', rowsOf(3), undefined, feeds(matrix)));
    const cure =
      'got 3 rows. Core mixes and cuts the rows of the batch alone: for others, pass { ...pass, atStage: (_, features) => features }.';
    expect(await refused(pool)).toBe(
      `pass.atStage("input"): expected features of the 2 rows of the batch or the 4 of its pool; ${cure}`,
    );
    expect(await refused(batch)).toBe(`pass.atStage("input"): expected features of the 2 rows of the batch; ${cure}`);
  });
});

describe('where a stage mixes', () => {
  const halves = feeds([
    [0.5, 0, 0, 0.5],
    [0, 0.25, 0.75, 0],
  ]);

  test('each row is a sum of the pool’s; other stages are left alone', () => {
    expect(numbers(mixAt('stage1', rowsOf(4), 'stage1', halves))).toEqual({
      shape: [2, 1, 2, 1],
      values: [15, 16, 17.5, 18.5],
    });
    const features = rowsOf(4);
    expect(mixAt('input', features, 'stage1', halves)).toBe(features);
  });

  test('it takes all rows of the pool', async () => {
    for (const rows of [2, 3]) {
      expect(await messageOfError(() => mixAt('stage1', rowsOf(rows), 'stage1', halves))).toMatch(
        `pass.atStage("stage1"): expected features of the 4 rows of the batch; got ${rows} rows.`,
      );
    }
  });

  test('a box keeps the row where the mask is 1, and has the partner’s pixels where it is 0', () => {
    const swapped = feeds(
      [
        [0, 1],
        [1, 0],
      ],
      [1, 0],
    );
    expect(numbers(mixAt('input', rowsOf(2), 'input:box', swapped)).values).toEqual([0, 11, 10, 1]);
    const drawn = feeds(
      [
        [0, 0, 1, 0],
        [0, 0, 0, 1],
      ],
      [0, 1],
    );
    expect(numbers(mixAt('input', rowsOf(4), 'input:box', drawn)).values).toEqual([20, 1, 30, 11]);
  });
});
