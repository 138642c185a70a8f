import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import cutmix, { cutmixBatch, keptShare, randomBox } from '../../plugins/cutmix/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { type Random, randomStream } from '../../src/random.ts';
import { smallInfo } from '../support/info.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

/** A stream whose integers are given, column first. */
const centred = (x: number, y: number): Random => {
  const integers = [x, y];
  return { ...randomStream('unused'), integer: () => integers.shift()! };
};

describe('randomBox, by hand', () => {
  test.each([
    // √0.25 of 32 is 16: 8 to each side of the centre.
    { side: [32, 32], lambda: 0.75, centre: [16, 16], box: [8, 24, 8, 24], kept: 1 - 256 / 1024 },
    // The centre in the corner: three quarters of the patch are cut off.
    { side: [32, 32], lambda: 0.75, centre: [0, 0], box: [0, 8, 0, 8], kept: 1 - 64 / 1024 },
    { side: [32, 32], lambda: 0.75, centre: [31, 16], box: [8, 24, 23, 32], kept: 1 - 144 / 1024 },
    // √0.5 of 32 is 22.6, cut to 22.
    { side: [32, 32], lambda: 0.5, centre: [16, 16], box: [5, 27, 5, 27], kept: 1 - 484 / 1024 },
    // √0.7 of 32 is 26.8, cut to 26; √0.3 of 32 is 17.5, cut to 17, and an odd side loses a pixel.
    { side: [32, 32], lambda: 0.7, centre: [16, 16], box: [8, 24, 8, 24], kept: 0.75 },
    // Height and width have sides of their own: √0.25 of 8 is 4, of 20 is 10.
    { side: [8, 20], lambda: 0.75, centre: [10, 4], box: [2, 6, 5, 15], kept: 1 - 40 / 160 },
    // All of it, and nothing.
    { side: [8, 8], lambda: 0, centre: [4, 4], box: [0, 8, 0, 8], kept: 0 },
    { side: [8, 8], lambda: 1, centre: [3, 5], box: [5, 5, 3, 3], kept: 1 },
    // √0.01 of 8 is 0.8: less than a pixel.
    { side: [8, 8], lambda: 0.99, centre: [3, 5], box: [5, 5, 3, 3], kept: 1 },
  ])('$side at $lambda around $centre', ({ side, lambda, centre, box, kept }) => {
    const [height, width] = side as [number, number];
    const drawn = randomBox(height, width, lambda, centred(centre[0]!, centre[1]!));
    expect([drawn.top, drawn.bottom, drawn.left, drawn.right]).toEqual(box);
    expect(keptShare(drawn, height, width)).toBe(kept);
  });

  test('the centre is uniform over the pixels', () => {
    const random = randomStream('centres');
    const columns = new Array<number>(4).fill(0);
    const rows = new Array<number>(2).fill(0);
    for (let i = 0; i < 4000; i++) {
      // An empty patch stands at its centre.
      const { left, top } = randomBox(2, 4, 1, random);
      columns[left]!++;
      rows[top]!++;
    }
    for (const count of columns) expect(Math.abs(count / 1000 - 1)).toBeLessThan(0.15);
    for (const count of rows) expect(Math.abs(count / 2000 - 1)).toBeLessThan(0.1);
  });
});

describe('cutmixBatch', () => {
  test('lambda is exactly the share of the pixels that stay', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(0, 0.3, 1, 4),
        fc.integer(),
        (height, width, alpha, key) => {
          const random = randomStream(key);
          const { box, lambda, pair } = cutmixBatch(
            { size: 5, replicas: 1 },
            [height, width, 3],
            { alpha, probability: 1 },
            random,
          );
          let kept = 0;
          for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++) {
              const inside = y >= box!.top && y < box!.bottom && x >= box!.left && x < box!.right;
              if (!inside) kept++;
            }
          }
          expect([box!.top, height - box!.bottom, box!.left, width - box!.right].every((gap) => gap >= 0)).toBe(true);
          for (const share of lambda!) expect(share).toBe(Math.fround(kept / (height * width)));
          expect(Array.from(pair!).sort()).toEqual([0, 1, 2, 3, 4]);
          if (alpha === 0) expect(kept).toBe(height * width);
        },
      ),
    );
  });

  test('partners do not depend on alpha', () => {
    const pairs = [0, 0.2, 1].map(
      (alpha) => cutmixBatch({ size: 32, replicas: 1 }, [8, 8], { alpha, probability: 1 }, randomStream(1)).pair,
    );
    expect(pairs[1]).toEqual(pairs[0]);
    expect(pairs[2]).toEqual(pairs[0]);
  });
});

describe('the plugin', () => {
  const labels = Int32Array.from({ length: 32 }, (_, i) => i % 4);

  test.each([0, 0.5, 1])('mixes a share of %f of the batches', (probability) => {
    const composition = compose([cutmix({ probability })], smallInfo());
    let mixed = 0;
    for (let step = 1; step <= 400; step++) {
      const { batch, targets } = mixBatch(composition, labels, at(1, step));
      if (batch.box) mixed++;
      else expect(Array.from(batch.lambda)).toEqual(Array(32).fill(1));
      expect(targets.labelWeight).toEqual(batch.lambda);
      expect(batch.variants).toEqual({ mix: 'input:box' });
    }
    // Four standard errors of 400 coins.
    expect(Math.abs(mixed / 400 - probability)).toBeLessThanOrEqual(probability === 0.5 ? 0.1 : 0);
  });

  test('alpha 0 pastes nothing', () => {
    const { batch } = mixBatch(compose([cutmix({ alpha: 0 })], smallInfo()), labels, at(1));
    expect(Array.from(batch.lambda)).toEqual(Array(32).fill(1));
  });

  test('a share of 0 mixes no batch, whatever is drawn', () => {
    const lowest = { ...randomStream('any'), uniform: () => 0 };
    expect(cutmixBatch({ size: 2, replicas: 1 }, [8, 8], { alpha: 1, probability: 0 }, lowest)).toEqual({});
  });

  test('a label rule has nothing to do where nothing is pasted, and only there', () => {
    const info = infoWithCounts([300, 100, 20]);
    for (const options of [{ alpha: 0 }, { probability: 0 }]) {
      expect(warningsOf([cutmix(options), remix()], info)).toEqual([
        'NOT_INTENDED [cutmix] with remix: nothing is pasted, and no label changes.',
      ]);
    }
    expect(warningsOf([cutmix(), remix()], info)).toEqual([]);
  });
});
