import { describe, expect, test } from 'vitest';
import { openAugment, type Shape } from '../../src/data/transforms/augment.ts';
import { mirror, padCrop } from '../../src/data/transforms/geometry.ts';

const shape: Shape = [3, 3, 1];
// biome-ignore format: a picture
const image = Uint8Array.of(
  1, 2, 3,
  4, 5, 6,
  7, 8, 9,
);

function cropped(padding: number, top: number, left: number): number[] {
  const target = new Uint8Array(9).fill(99);
  padCrop(image, 0, target, 0, shape, { padding, top, left });
  return [...target];
}

describe('padCrop', () => {
  test('the middle of the padded image is the image', () => {
    expect(cropped(1, 1, 1)).toEqual([...image]);
    expect(cropped(4, 4, 4)).toEqual([...image]);
  });

  // biome-ignore format: pictures
  test.each([
    [0, 0, [0, 0, 0, 0, 1, 2, 0, 4, 5]],
    [0, 1, [0, 0, 0, 1, 2, 3, 4, 5, 6]],
    [0, 2, [0, 0, 0, 2, 3, 0, 5, 6, 0]],
    [1, 0, [0, 1, 2, 0, 4, 5, 0, 7, 8]],
    [2, 1, [4, 5, 6, 7, 8, 9, 0, 0, 0]],
    [2, 2, [5, 6, 0, 8, 9, 0, 0, 0, 0]],
  ])('padding 1, window at row %i, column %i', (top, left, expected) => {
    expect(cropped(1, top, left)).toEqual(expected);
  });

  test('a window that lies in the padding alone is black', () => {
    expect(cropped(4, 0, 0)).toEqual(Array(9).fill(0));
    expect(cropped(4, 4, 8)).toEqual(Array(9).fill(0));
    expect(cropped(4, 4, 0)).toEqual(Array(9).fill(0));
  });

  test('channels move together, at any offset, and nothing else is written', () => {
    const wide: Shape = [1, 3, 2];
    const source = Uint8Array.of(99, 1, 2, 3, 4, 5, 6, 99);
    const target = new Uint8Array(9).fill(77);
    padCrop(source, 1, target, 2, wide, { padding: 1, top: 1, left: 2 });
    expect([...target]).toEqual([77, 77, 3, 4, 5, 6, 0, 0, 77]);
  });
});

test('padCrop is what a slow definition says, for every window of several shapes', () => {
  for (const [height, width, channels, padding] of [
    [3, 3, 3, 2],
    [2, 5, 1, 4],
    [4, 1, 2, 3],
    [1, 1, 1, 1],
  ] as const) {
    const bytes = height * width * channels;
    const source = Uint8Array.from({ length: bytes + 6 }, (_, i) => 1 + i);
    for (let top = 0; top <= 2 * padding; top++) {
      for (let left = 0; left <= 2 * padding; left++) {
        const expected = new Uint8Array(bytes + 4).fill(200);
        for (let i = 0; i < bytes; i++) {
          const y = Math.floor(i / (width * channels)) + top - padding;
          const x = (Math.floor(i / channels) % width) + left - padding;
          const inside = y >= 0 && y < height && x >= 0 && x < width;
          expected[2 + i] = inside ? source[3 + (y * width + x) * channels + (i % channels)]! : 0;
        }
        const target = new Uint8Array(bytes + 4).fill(200);
        padCrop(source, 3, target, 2, [height, width, channels], { padding, top, left });
        expect(target, `${height}x${width}x${channels} at ${top}, ${left}`).toEqual(expected);
      }
    }
  }
});

test('mirror turns columns around and keeps channels', () => {
  const target = new Uint8Array(9);
  mirror(image, 0, target, 0, shape);
  expect([...target]).toEqual([3, 2, 1, 6, 5, 4, 9, 8, 7]);
  const pair = new Uint8Array(6);
  mirror(Uint8Array.of(1, 2, 3, 4, 5, 6), 0, pair, 0, [1, 2, 3]);
  expect([...pair]).toEqual([4, 5, 6, 1, 2, 3]);
});

describe('openAugment', () => {
  const big: Shape = [8, 8, 1];
  const gradient = Uint8Array.from({ length: 64 }, (_, i) => 1 + i);
  const crop = { name: 'pad-crop', padding: 2 } as const;
  const flip = { name: 'flip', probability: 0.5 } as const;

  function augmented(transforms: Parameters<typeof openAugment>[0], position: number, epoch = 1, seed = 5): number[] {
    const target = new Uint8Array(64);
    openAugment(transforms, big, seed, epoch)(gradient, 0, target, 0, position);
    return [...target];
  }

  test('no transforms: the image itself', () => {
    expect(augmented([], 3)).toEqual([...gradient]);
  });

  test('depends on seed, epoch and position', () => {
    const views = (epoch: number, seed: number): string =>
      JSON.stringify(Array.from({ length: 20 }, (_, position) => augmented([crop, flip], position, epoch, seed)));
    expect(views(1, 5)).toBe(views(1, 5));
    expect(new Set([views(1, 5), views(2, 5), views(1, 6)]).size).toBe(3);
    expect(augmented([crop, flip], 0)).not.toEqual(augmented([crop, flip], 1));
  });

  test('every window and both mirror images come up, about equally often', () => {
    const seen = new Map<string, number>();
    const n = 5000;
    const augment = openAugment([crop, flip], big, 1, 1);
    const target = new Uint8Array(64);
    for (let position = 0; position < n; position++) {
      augment(gradient, 0, target, 0, position);
      seen.set(target.join(), (seen.get(target.join()) ?? 0) + 1);
    }
    expect(seen.size).toBe(5 * 5 * 2);
    const chiSquare = [...seen.values()].reduce((sum, count) => sum + (count - n / 50) ** 2 / (n / 50), 0);
    expect(Math.abs(chiSquare - 49)).toBeLessThan(5 * Math.sqrt(2 * 49));
  });

  test('adding a transform does not shift another’s draws', () => {
    for (let position = 0; position < 30; position++) {
      const both = Uint8Array.from(augmented([crop, flip], position));
      const alone = Uint8Array.from(augmented([crop], position));
      const mirrored = new Uint8Array(64);
      mirror(alone, 0, mirrored, 0, big);
      expect([alone, mirrored]).toContainEqual(both);
    }
  });

  test('the order of transforms is that of the list, through more than two', () => {
    const always = { name: 'flip', probability: 1 } as const;
    expect(augmented([always], 0)).not.toEqual([...gradient]);
    expect(augmented([always, always], 0)).toEqual([...gradient]);
    expect(augmented([always, always, always], 0)).toEqual(augmented([always], 0));
    expect(augmented([{ name: 'flip', probability: 0 }], 0)).toEqual([...gradient]);
  });
});
