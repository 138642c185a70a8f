import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import { formatPlan } from '../../src/compose/plan.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { GroupImages, RowGroup } from '../../src/row-groups.ts';
import type { RunInfo } from '../../src/run.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';

const plugin = (rows: unknown, tap?: boolean): Plugin =>
  definePlugin({
    name: 'mine',
    options: z.strictObject({}),
    rows: () => rows as Record<string, RowGroup>,
    apply({ hooks }) {
      if (tap) hooks.computeAugmentation.tap('mine', (strength) => strength);
    },
  })();
const composed = (rows: unknown, changes: Partial<RunInfo> = {}, tap?: boolean) =>
  compose([plugin(rows, tap)], smallInfo(changes));
const refused = (rows: unknown, changes: Partial<RunInfo> = {}) => messageOfError(() => composed(rows, changes));

const images = (n: number): GroupImages => ({ indices: new Int32Array(n), labels: new Int32Array(n) });
const weights = () => new Float64Array(4).fill(1);

test('groups have their plugin’s name; transforms their defaults; validation images no transforms', () => {
  const { groups } = composed(
    { one: { view: true }, two: { view: true, augment: [{ name: 'flip' }] }, three: { weights, from: 'validation' } },
    { validationCount: 3 },
  );
  expect(groups).toMatchObject({
    'mine/one': { view: true, augment: null },
    'mine/two': { view: true, augment: [{ name: 'flip', probability: 0.5 }] },
    'mine/three': { view: false, from: 'validation', augment: [] },
  });
});

test('the plan names them, and what is done to them', () => {
  const info = smallInfo({ validationCount: 3 });
  const rows = {
    one: { view: true },
    two: { view: true, augment: [{ name: 'flip' }] },
    three: { weights, from: 'validation' },
    four: { view: true, of: 'three' },
  };
  const plan = formatPlan(compose([plugin(rows)], info), info);
  expect(plan.split('\n').filter((line) => /^rows|^warning/.test(line))).toEqual([
    'rows                    mine/one: view  mine/two: view (flip (probability 0.5))  mine/three: drawn from validation (no augment)  mine/four: view of mine/three',
    'warning                 NOT_INTENDED [mine] trains on validation images: figures on them, and what is chosen by them, look better than they are.',
  ]);
});

test('a strength that no transform has is warned of', () => {
  const codes = (augment: RunInfo['augment']) => composed({}, { augment }, true).warnings.map(({ code }) => code);
  expect(codes([{ name: 'flip', probability: 0.5 }])).toEqual(['NO_EFFECT']);
  expect(codes([{ name: 'cutout', size: 8, count: 1 }])).toEqual([]);
});

describe('weights', () => {
  const drawn = (value: unknown, epoch = 1, n = 9) => {
    const group = composed({ one: { weights: () => value } }).groups['mine/one']!;
    return group.view ? expect.unreachable() : group.weights(epoch, images(n));
  };

  test('of each class or of each image, in rehearsals any number', () => {
    expect(drawn(weights())).toEqual(weights());
    expect(drawn(new Float64Array(9).fill(2))).toHaveLength(9);
    for (const length of [4, 9]) expect(drawn(new Float64Array(length).fill(Number.NaN), 1000)).toHaveLength(length);
  });

  test('are judged by the classes of the images that are drawn from, not by those that are trained on', async () => {
    const classes = { classCounts: [9, 4, 2, 0], validationCount: 2 };
    const group = composed({ one: { weights: () => Float64Array.of(0, 0, 0, 1), from: 'validation' } }, classes);
    const { weights } = group.groups['mine/one'] as { weights(epoch: number, images: GroupImages): Float64Array };
    const of = (...labels: number[]) => weights(1, { indices: new Int32Array(2), labels: Int32Array.from(labels) });
    expect(of(3, 0)).toEqual(Float64Array.of(0, 0, 0, 1));
    expect(await messageOfError(() => of(0, 2))).toBe(
      '[mine] rows: weights of one: expected a weight above 0 for a class that has images; got zeros for all of them.',
    );
  });

  test.each<[string, unknown, string]>([
    [
      'of another number',
      new Float64Array(3),
      'expected a Float64Array of 4, each of 0 or more, one a class; got a Float64Array of 3.',
    ],
    ['a plain array', [1, 1, 1, 1], 'expected a Float64Array of 4, each of 0 or more, one a class; got an array of 4.'],
    ['zeros', new Float64Array(4), 'expected a weight above 0; got zeros.'],
    ['zeros of images', new Float64Array(9), 'expected a weight above 0; got zeros.'],
    [
      'below 0',
      Float64Array.from({ length: 9 }, (_, i) => 4 - i),
      'expected finite numbers of 0 or more, one an image; got -1 at 5.',
    ],
  ])('%s', async (_, value, message) => {
    expect(await messageOfError(() => drawn(value))).toBe(`[mine] rows: weights of one: ${message}`);
  });
});

describe('what is refused', () => {
  const expected = 'expected { view: true, of, augment } or { from, weights, augment }';
  test.each<[unknown, string, Partial<RunInfo>?]>([
    [3, '[mine] rows: expected groups of rows by name; got 3.'],
    [{ one: 3 }, `[mine] rows: one: ${expected}; got 3.`],
    [{ one: {} }, `[mine] rows: one: ${expected}; got an empty object.`],
    [{ one: { view: true, weights } }, `[mine] rows: one: ${expected}; got an object with view, weights.`],
    [
      { one: { weights }, two: { view: true, of: 'two' } },
      '[mine] rows: two: expected of: a group that draws (one); got "two".',
    ],
    [{ one: { weights, from: 'test' } }, '[mine] rows: one: expected from: train or validation; got "test".'],
    [
      { one: { weights, from: 'validation' } },
      '[mine] rows: one: expected images to draw from; got validation, of which this run has none. Set data.split.validation, or draw from train.',
      { validationCount: 0 },
    ],
    [
      { one: { view: true, augment: [{ name: 'flip', probability: 2 }] } },
      '[mine] rows: one.augment[0]["probability"]: expected transforms as data.augment has them; got Too big: expected number to be <=1.',
    ],
    [
      { one: { view: true } },
      '[mine] rows: one: expected rows as they are: this run is on features, computed once; got a view or transforms. Train from pixels (train.features: off), or leave the plugin out.',
      { features: {} as RunInfo['features'] & object },
    ],
  ])('%j', async (rows, message, changes) => {
    expect(await refused(rows, changes)).toBe(message);
  });
});
