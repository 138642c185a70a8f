import { describe, expect, test } from 'vitest';
import { describeData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { drawBox, openAugment, type Shape } from '../../src/data/transforms/augment.ts';
import { cropWindow } from '../../src/data/transforms/geometry.ts';
import { type TransformOptions, transformOptions } from '../../src/data/transforms/options.ts';
import { messageOfError } from '../support/message.ts';

const shape: Shape = [21, 26, 3];
const image = Uint8Array.from({ length: 21 * 26 * 3 }, (_, i) => (i * 37) ^ (i >> 2));

describe('drawBox', () => {
  const limits = { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] } as const;

  test('areas are uniform, ratios log-uniform, all inside', () => {
    let state = 1;
    const random = (): number => {
      state = (state * 48271) % 0x7fffffff;
      return state / 0x7fffffff;
    };
    const boxes = Array.from({ length: 4000 }, () => drawBox([400, 400, 3], limits, random));
    const shares = boxes.map((box) => (box.height * box.width) / 160_000).sort((a, b) => a - b);
    const logs = boxes.map((box) => Math.log(box.width / box.height));
    expect(
      boxes.every(({ top, left, height: h, width: w }) => top >= 0 && left >= 0 && top + h <= 400 && left + w <= 400),
    ).toBe(true);
    expect(shares[0]).toBeGreaterThan(0.079);
    // Large parts of a strong ratio do not fit and are drawn anew.
    expect(shares[2000]).toBeGreaterThan(0.45);
    expect(shares[2000]).toBeLessThan(0.55);
    expect(Math.max(...logs)).toBeLessThan(Math.log(4 / 3) + 0.03);
    expect(Math.abs(logs.reduce((sum, log) => sum + log, 0) / 4000)).toBeLessThan(0.01);
  });

  test('where none fits, the largest in the middle whose ratio may be', () => {
    expect(drawBox([10, 100, 3], { scale: [1, 1], ratio: [1, 1] }, () => 0.5)).toEqual({
      top: 0,
      left: 45,
      height: 10,
      width: 10,
    });
    expect(drawBox([100, 10, 3], { scale: [1, 1], ratio: [1, 2] }, () => 0.5)).toEqual({
      top: 45,
      left: 0,
      height: 10,
      width: 10,
    });
  });
});

describe('a list of transforms', () => {
  const every = [
    'pad-crop',
    'flip',
    'random-resized-crop',
    'color-jitter',
    'pca-lighting',
    'rand-augment',
    'auto-augment',
    'cutout',
  ];
  const list = (...names: (string | Record<string, unknown>)[]): TransformOptions[] =>
    names.map((entry) => transformOptions.parse(typeof entry === 'string' ? { name: entry } : entry));
  const run = (
    transforms: TransformOptions[],
    position: number,
    target: Shape = shape,
    epoch = 1,
    seed = 5,
  ): Uint8Array => {
    const out = new Uint8Array(target[0] * target[1] * target[2]);
    openAugment(transforms, shape, seed, epoch, { target, mean: [0.5, 0.4, 0.3] })(image, 0, out, 0, position);
    return out;
  };

  test.each(every)('%s depends on position, epoch and seed alone', (name) => {
    const transforms = list(name);
    const drawn = [0, 1, 2, 3, 4, 5].map((position) => run(transforms, position).join());
    expect([5, 4, 3, 2, 1, 0].map((position) => run(transforms, position).join()).reverse()).toEqual(drawn);
    expect(new Set(drawn).size).toBeGreaterThan(1);
    const other = (epoch: number, seed: number) =>
      [0, 1, 2, 3, 4, 5].map((p) => run(transforms, p, shape, epoch, seed).join());
    expect(other(2, 5)).not.toEqual(drawn);
    expect(other(1, 6)).not.toEqual(drawn);
  });

  test('an image does not see the one before it, and another transform shifts no draws', () => {
    const transforms = list(...every);
    const out = new Uint8Array(image.length);
    const apply = openAugment(transforms, shape, 5, 1, { mean: [0.5, 0.4, 0.3] });
    for (const position of [3, 7, 3]) apply(image, 0, out, 0, position);
    expect(out).toEqual(run(transforms, 3));
    const crop = run(list('random-resized-crop'), 3);
    const flipped = run(list('random-resized-crop', { name: 'flip', probability: 0 }), 3);
    expect(flipped).toEqual(crop);
  });

  test('what is larger than the target has its centre cut out; crops draw from all of it', () => {
    const target: Shape = [11, 12, 3];
    const centre = new Uint8Array(11 * 12 * 3);
    cropWindow(image, 0, centre, 0, shape, { top: 5, left: 7, height: 11, width: 12 });
    expect(run([], 0, target)).toEqual(centre);
    expect(run(list({ name: 'flip', probability: 0 }), 0, target)).toEqual(centre);
    const corners = new Set<number>();
    for (let position = 0; position < 200; position++)
      corners.add(run(list({ name: 'pad-crop', padding: 0 }), position, target)[0]!);
    expect(corners.size).toBeGreaterThan(50);
    expect(run(list({ name: 'resize', size: [11, 12] }), 0, target)).toHaveLength(11 * 12 * 3);
  });

  test('cutout covers with the mean colour', () => {
    const out = run(list({ name: 'cutout', size: 100 }), 0);
    expect([...out.subarray(0, 6)]).toEqual([128, 102, 77, 128, 102, 77]);
  });

  test('what cannot be is told with the config', async () => {
    const refused = (input: Partial<DataInput>) =>
      messageOfError(() => describeData(dataOptions.parse({ root: '/nowhere', ...input })));
    expect([
      await refused({ name: 'digits', augment: [{ name: 'color-jitter' }] }),
      await refused({ name: 'cifar10', augment: [{ name: 'resize', size: 20 }] }),
      await refused({ name: 'inat2018', imageSize: 224, packSize: 200 }),
    ]).toMatchInlineSnapshot(`
      [
        "data.augment: expected images of 3 channels for "color-jitter"; got 1. Take it out.",
        "data.augment: expected images of at least 32 x 32 pixels in the end; got 20 x 20. Let random-resized-crop or pad-crop be last, or raise data.packSize.",
        "data.augment: expected images of at least 224 x 224 pixels in the end; got 200 x 200. Let random-resized-crop or pad-crop be last, or raise data.packSize.",
      ]
    `);
  });
});
