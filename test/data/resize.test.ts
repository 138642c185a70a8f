import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { loadData } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import { decodeInput } from '../../src/data/packed/decode.ts';
import { openAugment } from '../../src/data/transforms/augment.ts';
import { centreOf, coveringSize, placeWindow, type Sides, scaleWindow } from '../../src/data/transforms/photo.ts';
import { type Interpolation, openResample } from '../../src/data/transforms/resample.ts';
import reference from '../reference/resize.json' with { type: 'json' };
import { picture } from '../support/resize-picture.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Expected {
  bytes?: string | undefined;
  sha256?: string | undefined;
}

function expectPixels(got: Uint8Array, { bytes, sha256 }: Expected): void {
  if (bytes === undefined) expect(createHash('sha256').update(got).digest('hex')).toBe(sha256);
  else expect(Buffer.from(got).equals(Buffer.from(bytes, 'base64'))).toBe(true);
}

describe("Pillow's resize, to the bit", () => {
  const cases = reference.resize.map((each) => ({ ...each, name: each.interpolation as Interpolation }));
  test.each(cases)('$from to $to, $name', ({ from, to, name, ...expected }) => {
    const [height, width] = from as [number, number];
    const [outHeight, outWidth] = to as [number, number];
    const target = new Uint8Array(outHeight * outWidth * 3);
    const resample = openResample([height, width, 3], [outHeight, outWidth, 3], { interpolation: name });
    resample(picture(height, width), 0, { top: 0, left: 0, height, width }, target, 0);
    expectPixels(target, expected);
  });

  test('one channel or five as three', () => {
    const [height, width] = [37, 53];
    const rgb = picture(height, width);
    for (const interpolation of ['bilinear', 'bicubic'] as const) {
      const scaled = (pixels: Uint8Array, channels: number): Uint8Array => {
        const target = new Uint8Array(20 * 71 * channels);
        const box = { top: 0, left: 0, height, width };
        openResample([height, width, channels], [20, 71, channels], { interpolation })(pixels, 0, box, target, 0);
        return target;
      };
      const whole = scaled(rgb, 3);
      const red = scaled(
        rgb.filter((_, i) => i % 3 === 0),
        1,
      );
      expect(red).toEqual(whole.filter((_, i) => i % 3 === 0));
      const five = new Uint8Array(height * width * 5).map(
        (_, i) => rgb[3 * Math.floor(i / 5) + (i % 5 < 3 ? i % 5 : 0)]!,
      );
      expect(scaled(five, 5).filter((_, i) => i % 5 < 3)).toEqual(whole);
    }
  });

  test('a window is that part of the whole', () => {
    const side = fc.integer({ min: 1, max: 40 });
    const property = fc.property(
      fc.tuple(side, side, side, side),
      fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat()),
      fc.constantFrom('bilinear' as const, 'bicubic' as const),
      ([height, width, outHeight, outWidth], [a, b, c, d], interpolation) => {
        const [top, left] = [a % outHeight, b % outWidth];
        const part: Sides = [1 + (c % (outHeight - top)), 1 + (d % (outWidth - left))];
        const pixels = picture(height, width);
        const scaled: Sides = [outHeight, outWidth];
        const whole = scaleWindow(pixels, [height, width], { scaled, top: 0, left: 0 }, scaled, interpolation);
        const got = scaleWindow(pixels, [height, width], { scaled, top, left }, part, interpolation);
        const rows = Array.from({ length: part[0] }, (_, y) => {
          const at = ((top + y) * outWidth + left) * 3;
          return [...whole.subarray(at, at + part[1] * 3)];
        });
        expect([...got]).toEqual(rows.flat());
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});

describe("torchvision's and timm's evaluation, to the bit", () => {
  const cases = reference.evaluation.map((each) => ({ ...each, name: each.interpolation as Interpolation }));
  test.each(cases)(
    '$from, resize $resize, crop $crop, $name',
    ({ from, resize, crop, name, size, top, left, ...expected }) => {
      const photo = from as unknown as Sides;
      const [cover, shape] = [resize as unknown as Sides, crop as unknown as Sides];
      const place = { scaled: coveringSize(photo, cover), top, left };
      expect(place.scaled).toEqual(size);
      expectPixels(scaleWindow(picture(...(photo as [number, number])), photo, place, shape, name), expected);
      // By way of what is packed: its centre begins at the same pixel.
      const packed = placeWindow(photo, cover, shape);
      expect([packed.top + centreOf(cover[0], shape[0]), packed.left + centreOf(cover[1], shape[1])]).toEqual([
        top,
        left,
      ]);
    },
  );

  test('what is packed lies within the photo, whatever the sizes', () => {
    const side = fc.integer({ min: 1, max: 600 });
    const property = fc.property(fc.tuple(side, side, side, side), fc.nat(), fc.nat(), ([h, w, ph, pw], a, b) => {
      const [cover, shape]: [Sides, Sides] = [
        [ph, pw],
        [1 + (a % ph), 1 + (b % pw)],
      ];
      const { scaled, top, left } = placeWindow([h, w], cover, shape);
      expect(Math.min(top, left, scaled[0] - top - ph, scaled[1] - left - pw)).toBeGreaterThanOrEqual(0);
    });
    fc.assert(property, { numRuns: 2000 });
  });
});

test('a folder of images with a crop fraction is read as timm evaluates it, in training and in `predict`', async () => {
  const root = await temporaryFolder();
  const expected = reference.evaluation.find(
    ({ from, resize, interpolation }) => from[1] === 300 && resize[0] === 235 && interpolation === 'bicubic',
  )!;
  const file = sharp(picture(400, 300), { raw: { width: 300, height: 400, channels: 3 } }).png();
  for (const folder of ['train/a', 'test/a']) {
    await mkdir(join(root, folder), { recursive: true });
    await file.toFile(join(root, folder, '1.png'));
  }
  const sizes = { imageSize: 224, cropFraction: 0.95, interpolation: 'bicubic' } as const;
  const options = dataOptions.parse({ name: 'image-folder', root, ...sizes });
  const { info, test: held } = await loadData(options, { cache: join(root, 'cache') });
  expect(info).toMatchObject({ shape: [224, 224, 3], packShape: [235, 235, 3], interpolation: 'bicubic' });
  const { pixels } = held.split;
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  const evaluated = new Uint8Array(224 * 224 * 3);
  openAugment([], info.packShape!, 0, 0, { target: info.shape })(new Uint8Array(pixels.bytes), 0, evaluated, 0, 0);
  expectPixels(evaluated, expected);
  const { shape, packShape, interpolation } = info;
  expectPixels(await decodeInput(join(root, 'test/a/1.png'), shape, { packShape, interpolation }), expected);
});

test('packSize and cropFraction are two words for one thing', () => {
  const both = { name: 'image-folder', imageSize: 224, packSize: 256, cropFraction: 0.875 };
  expect(dataOptions.safeParse(both).error!.issues).toEqual([
    expect.objectContaining({
      path: ['cropFraction'],
      message: 'expected packSize or cropFraction, got both: cropFraction says what packSize is',
    }),
  ]);
});
