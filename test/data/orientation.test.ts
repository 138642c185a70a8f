import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { decodeInput } from '../../src/data/packed/decode.ts';
import type { Split } from '../../src/data/types.ts';
import { picture } from '../support/image-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';

const [HEIGHT, WIDTH] = [4, 6];
const stored = picture(3, HEIGHT, WIDTH);

/** Where a pixel of the upright image lies in the stored one, by EXIF's orientation (CIPA DC-008, tag 274). */
const placeOf: Record<number, (y: number, x: number) => [y: number, x: number]> = {
  1: (y, x) => [y, x],
  2: (y, x) => [y, WIDTH - 1 - x],
  3: (y, x) => [HEIGHT - 1 - y, WIDTH - 1 - x],
  4: (y, x) => [HEIGHT - 1 - y, x],
  5: (y, x) => [x, y],
  6: (y, x) => [HEIGHT - 1 - x, y],
  7: (y, x) => [HEIGHT - 1 - x, WIDTH - 1 - y],
  8: (y, x) => [x, WIDTH - 1 - y],
};

const isTurned = (orientation: number): boolean => orientation > 4;

function upright(orientation: number): Uint8Array {
  const [height, width] = isTurned(orientation) ? [WIDTH, HEIGHT] : [HEIGHT, WIDTH];
  const pixels: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [row, column] = placeOf[orientation]!(y, x);
      pixels.push(...stored.subarray((row * WIDTH + column) * 3, (row * WIDTH + column) * 3 + 3));
    }
  }
  return Uint8Array.from(pixels);
}

const raw = (pixels: Uint8Array, width = WIDTH, height = HEIGHT) =>
  sharp(pixels, { raw: { width, height, channels: 3 } });

/** One image as train and as test of a class. */
async function setOf(file: Buffer, input: Partial<DataInput> = {}) {
  const root = await temporaryFolder();
  for (const split of ['train', 'test']) {
    await mkdir(join(root, split, 'a'), { recursive: true });
    await writeFile(join(root, split, 'a', 'x.png'), file);
  }
  const options = dataOptions.parse({ name: 'image-folder', root, ...input });
  return {
    path: join(root, 'test', 'a', 'x.png'),
    plan: () => describeData(options),
    load: async () => loadData(options, { cache: join(root, 'cache') }),
  };
}

function pixelsOf({ pixels }: Split): Uint8Array {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  return new Uint8Array(pixels.bytes).slice();
}

describe('EXIF orientation', () => {
  test.each(Object.keys(placeOf).map(Number))(
    '%i is honoured in training and prediction, or ignored',
    async (orientation) => {
      const file = await raw(stored).withMetadata({ orientation }).png().toBuffer();
      const shape = isTurned(orientation) ? ([WIDTH, HEIGHT, 3] as const) : ([HEIGHT, WIDTH, 3] as const);
      const honoured = await setOf(file);
      expect((await honoured.plan()).info.shape).toEqual(shape);
      const { info, train, test: held } = await honoured.load();
      expect(info.shape).toEqual(shape);
      expect([pixelsOf(train.split), pixelsOf(held.split)]).toEqual([upright(orientation), upright(orientation)]);
      expect(new Uint8Array(await decodeInput(honoured.path, shape))).toEqual(upright(orientation));
      const ignored = await setOf(file, { exif: 'ignore' });
      expect((await ignored.plan()).info.shape).toEqual([HEIGHT, WIDTH, 3]);
      expect(pixelsOf((await ignored.load()).train.split)).toEqual(stored);
      expect(new Uint8Array(await decodeInput(ignored.path, [HEIGHT, WIDTH, 3], { exif: 'ignore' }))).toEqual(stored);
    },
  );

  test.each(['jpeg', 'webp', 'tiff'] as const)('also of %s files, and of scaled ones', async (format) => {
    const large = picture(9, 48, 80);
    const file = await raw(large, 80, 48)
      .withMetadata({ orientation: 6 })
      .toFormat(format, { quality: 100 })
      .toBuffer();
    const turned = await sharp(await sharp(file, { autoOrient: true }).png().toBuffer())
      .png()
      .toBuffer();
    const [got, expected] = [await setOf(file, { imageSize: 16 }), await setOf(turned, { imageSize: 16 })];
    const [a, b] = await Promise.all([got, expected].map(async ({ load }) => pixelsOf((await load()).train.split)));
    expect(Math.max(...a!.map((value, i) => Math.abs(value - b![i]!)))).toBeLessThanOrEqual(2);
    const ignored = await setOf(file, { imageSize: 16, exif: 'ignore' });
    expect(pixelsOf((await ignored.load()).train.split)).not.toEqual(a);
  });

  test('both ways have packed files of their own', async () => {
    const root = await temporaryFolder();
    const file = await raw(stored).withMetadata({ orientation: 3 }).png().toBuffer();
    for (const split of ['train', 'test']) {
      await mkdir(join(root, split, 'a'), { recursive: true });
      await writeFile(join(root, split, 'a', 'x.png'), file);
    }
    const load = async (exif?: 'honour' | 'ignore') =>
      pixelsOf(
        (await loadData(dataOptions.parse({ name: 'image-folder', root, exif }), { cache: join(root, 'c') })).train
          .split,
      );
    expect([await load('ignore'), await load(), await load('ignore'), await load('honour')]).toEqual([
      stored,
      upright(3),
      stored,
      upright(3),
    ]);
  });
});

describe('ICC profiles', () => {
  const colour = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => [200, 60, 40][i % 3]!);
  const image = () => raw(colour, 64, 64);
  const firstOf = async (file: Buffer, input: Partial<DataInput> = {}): Promise<number[]> => {
    const { path, load } = await setOf(file, input);
    const packed = pixelsOf((await load()).train.split).subarray(0, 3);
    const size = input.imageSize as number | undefined;
    expect([...(await decodeInput(path, size ? [size, size, 3] : [64, 64, 3])).subarray(0, 3)]).toEqual([...packed]);
    return [...packed];
  };
  const near = (got: number[], expected: number[]): void => {
    for (const [i, value] of got.entries()) expect(Math.abs(value - expected[i]!), String(got)).toBeLessThanOrEqual(1);
  };

  test.each([
    ['Display P3, 8 bits', () => image().withIccProfile('p3').png()],
    ['Display P3, 16 bits', () => image().toColourspace('rgb16').withIccProfile('p3').png()],
    ['sRGB, 16 bits', () => image().toColourspace('rgb16').withIccProfile('srgb').png()],
    ['Display P3 as JPEG', () => image().withIccProfile('p3').jpeg({ quality: 100, chromaSubsampling: '4:4:4' })],
    ['none', () => image().png()],
  ])('%s: colours are those of sRGB', async (_, make) => {
    const file = await make().toBuffer();
    near(await firstOf(file), [200, 60, 40]);
    near(await firstOf(file, { imageSize: 8 }), [200, 60, 40]);
    near(await firstOf(file, { imageSize: 80 }), [200, 60, 40]);
  });
});

describe('scaling', () => {
  const noise = (height: number, width: number): Uint8Array =>
    Uint8Array.from({ length: height * width * 3 }, (_, i) => 128 + 90 * Math.sin(i / 97) + ((i * 7919) % 37));

  test.each([
    ['a JPEG whose sides are no multiples of 8', 250, 333, 'jpeg'],
    ['a WebP', 256, 320, 'webp'],
  ] as const)('%s is decoded whole, so that no pixel is shifted', async (_, height, width, format) => {
    const file = await raw(noise(height, width), width, height).toFormat(format).toBuffer();
    const whole = await sharp(file).png().toBuffer();
    const [a, b] = await Promise.all(
      [file, whole].map(async (bytes) => pixelsOf((await (await setOf(bytes, { imageSize: 40 })).load()).train.split)),
    );
    expect(a).toEqual(b);
  });

  test('up puts pixels where torchvision puts them: half a pixel of the larger image is none of the smaller', async () => {
    const ramp = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => 16 * (Math.floor(i / 3) % 8));
    const file = await raw(ramp, 8, 8).png().toBuffer();
    const row = pixelsOf((await (await setOf(file, { imageSize: 16 })).load()).train.split).subarray(0, 16 * 3);
    // Of pixel x of 16 the centre lies at (x + 0.5) / 2 − 0.5 of 8.
    const expected = Array.from({ length: 16 }, (_, x) => 16 * Math.min(7, Math.max(0, (x + 0.5) / 2 - 0.5)));
    expect([...row].filter((_, i) => i % 3 === 0)).toEqual(expected);
  });
});
