import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Shape } from '../../src/data/transforms/augment.ts';
import {
  addColour,
  brighten,
  type ColourOperation,
  contrast,
  lightingColour,
  saturate,
  turnHue,
} from '../../src/data/transforms/colour.ts';
import { affine, cover, cropWindow, type Matrix } from '../../src/data/transforms/geometry.ts';
import {
  autoContrast,
  equalize,
  openOperations,
  posterize,
  rotation,
  sharpen,
  solarize,
} from '../../src/data/transforms/operations.ts';
import { type Box, openResample } from '../../src/data/transforms/resample.ts';
import reference from '../reference/transforms.json' with { type: 'json' };

const bytesOf = ({ bytes }: { bytes: string }): Uint8Array => new Uint8Array(Buffer.from(bytes, 'base64'));
const image = bytesOf(reference.image);
const shape = reference.image.shape as unknown as Shape;
const [height, width] = shape;

/** Largest difference of two images, and the share of bytes that differ at all. */
function difference(got: Uint8Array, expected: Uint8Array): { most: number; share: number } {
  expect(got).toHaveLength(expected.length);
  const each = Array.from(got, (value, i) => Math.abs(value - expected[i]!));
  return { most: Math.max(...each), share: each.filter((value) => value > 0).length / each.length };
}

function changed(operation: ColourOperation): Uint8Array {
  const padded = new Uint8Array(image.length + 6).fill(77);
  padded.set(image, 3);
  operation(padded, 3, height * width);
  expect([...padded.subarray(0, 3), ...padded.subarray(-3)]).toEqual(Array(6).fill(77));
  return padded.slice(3, -3);
}

describe('against Pillow and torchvision', () => {
  test.each(Object.entries(reference.resize))('resize to %s', (_, expected) => {
    const target = new Uint8Array(bytesOf(expected).length);
    openResample(shape, expected.shape as unknown as Shape)(image, 0, { top: 0, left: 0, height, width }, target, 0);
    expect(difference(target, bytesOf(expected)).most).toBeLessThanOrEqual(1);
  });

  test('a part, scaled: nothing outside it has a part; one function after the other', () => {
    const resample = openResample(shape, [9, 12, 3]);
    for (const { box, ...expected } of reference.crop) {
      const [top, left, h, w] = box as [number, number, number, number];
      const target = new Uint8Array(9 * 12 * 3);
      resample(image, 0, { top, left, height: h, width: w }, target, 0);
      expect(difference(target, bytesOf(expected)).most).toBeLessThanOrEqual(1);
    }
  });

  test.each([
    ['brightness', brighten],
    ['contrast', contrast],
    ['saturation', saturate],
  ] as const)('%s', (name, operation) => {
    for (const { factor, ...expected } of reference[name])
      expect(difference(changed(operation(factor)), bytesOf(expected)).most, `${factor}`).toBeLessThanOrEqual(1);
  });

  test('hue', () => {
    for (const { factor, ...expected } of reference.hue)
      expect(difference(changed(turnHue(factor)), bytesOf(expected)).most, `${factor}`).toBeLessThanOrEqual(1);
  });

  test('lighting', () => {
    for (const { coefficients, ...expected } of reference.lighting) {
      const colour = lightingColour(coefficients as [number, number, number]);
      expect(difference(changed(addColour(colour)), bytesOf(expected)).most).toBeLessThanOrEqual(1);
    }
  });

  test('sharpness', () => {
    for (const { factor, ...expected } of reference.sharpness) {
      const target = new Uint8Array(image.length);
      sharpen(image, 0, target, shape, factor);
      expect(difference(target, bytesOf(expected)).most, `${factor}`).toBeLessThanOrEqual(1);
    }
  });

  test('posterize, solarize, equalize to the byte; autocontrast, where torchvision rounds in float32, to 1', () => {
    for (const { bits, ...expected } of reference.posterize)
      expect(changed(posterize(bits))).toEqual(bytesOf(expected));
    for (const { threshold, ...expected } of reference.solarize)
      expect(changed(solarize(threshold))).toEqual(bytesOf(expected));
    expect(changed(equalize)).toEqual(bytesOf(reference.equalize));
    expect(difference(changed(autoContrast), bytesOf(reference.autoContrast)).most).toBeLessThanOrEqual(1);
  });

  test('shear, shift, rotation: but for pixels on an edge', () => {
    const moved = (matrix: Matrix): Uint8Array => {
      const target = new Uint8Array(image.length);
      affine(image, 0, target, shape, matrix);
      return target;
    };
    for (const { matrix, ...expected } of reference.affine)
      expect(difference(moved(matrix as unknown as Matrix), bytesOf(expected)).share).toBeLessThan(0.01);
    for (const { degrees, ...expected } of reference.rotate)
      expect(difference(moved(rotation(shape, degrees)), bytesOf(expected)).share, `${degrees}`).toBeLessThan(0.01);
  });

  test('strengths of RandAugment', () => {
    const applied = (magnitude: number, operation: number, sign = 1): Uint8Array => {
      const target = new Uint8Array(image.length);
      Object.values(openOperations(shape, magnitude / 30))[operation]!(sign)(image, 0, target);
      return target;
    };
    for (const [step, strength] of Object.entries(reference.randAugment)) {
      const magnitude = Number(step);
      const moved = (matrix: Matrix): Uint8Array => {
        const target = new Uint8Array(image.length);
        affine(image, 0, target, shape, matrix);
        return target;
      };
      const sharpened = new Uint8Array(image.length);
      sharpen(image, 0, sharpened, shape, 1 + strength.Sharpness);
      const expected = [
        image,
        moved([1, strength.ShearX, 0, 0, 1, 0]),
        moved([1, 0, 0, strength.ShearY, 1, 0]),
        moved([1, 0, -Math.trunc(strength.TranslateX), 0, 1, 0]),
        moved([1, 0, 0, 0, 1, -Math.trunc(strength.TranslateY)]),
        moved(rotation(shape, strength.Rotate)),
        changed(brighten(1 + strength.Brightness)),
        changed(saturate(1 + strength.Color)),
        changed(contrast(1 + strength.Contrast)),
        sharpened,
        changed(posterize(strength.Posterize)),
        changed(solarize(strength.Solarize)),
        changed(autoContrast),
        changed(equalize),
      ];
      for (const [i, pixels] of expected.entries()) {
        const { most, share } = difference(applied(magnitude, i), pixels);
        // Colours may round the other way, moved pixels lie on an edge.
        if (i >= 6) expect(most, `${step}, operation ${i}`).toBeLessThanOrEqual(1);
        else expect(share, `${step}, operation ${i}`).toBeLessThan(0.02);
      }
    }
    expect(applied(9, 6, -1)).toEqual(changed(brighten(1 - 0.27)));
  });
});

describe('one pixel worked by hand', () => {
  const pixel = (operation: ColourOperation, ...values: number[]): number[] => {
    const own = Uint8Array.from(values);
    operation(own, 0, 1);
    return [...own];
  };

  test('colours', () => {
    expect(pixel(brighten(1.5), 10, 100, 200)).toEqual([15, 150, 255]);
    expect(pixel(saturate(0), 255, 0, 0)).toEqual([76, 76, 76]);
    expect(pixel(turnHue(1 / 3), 255, 0, 0)).toEqual([0, 255, 0]);
    expect(pixel(turnHue(-1 / 3), 255, 0, 0)).toEqual([0, 0, 255]);
    expect(pixel(addColour([0.1, 0, -1]), 0, 7, 7)).toEqual([26, 7, 0]);
  });

  test('the first component of lighting moves all channels alike', () => {
    expect(lightingColour([1, 0, 0])).toEqual([-0.5675 * 0.2175, -0.5808 * 0.2175, -0.5836 * 0.2175]);
  });
});

/** A box of an image, scaled as Pillow does it: one channel, one pixel, one tap after the other, in whole numbers of 2⁻²². */
function scaledPlainly(source: Uint8Array, [, width, channels]: Shape, box: Box, [high, wide]: Shape): Uint8Array {
  const axis = (size: number, length: number, read: (at: number) => number, to: number): number => {
    const reach = Math.max(1, size / length);
    const centre = ((to + 0.5) * size) / length;
    const begin = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(size, Math.floor(centre + reach + 0.5));
    const taps = Array.from({ length: end - begin }, (_, i) => 1 - Math.abs((begin + i + 0.5 - centre) / reach));
    const whole = taps.reduce((sum, tap) => sum + Math.max(0, tap), 0);
    const weights = taps.map((tap) => BigInt(Math.round((2 ** 22 * Math.max(0, tap)) / whole)));
    return Number(weights.reduce((sum, weight, i) => sum + weight * BigInt(read(begin + i)), 1n << 21n) >> 22n);
  };
  return Uint8Array.from({ length: high * wide * channels }, (_, i) => {
    const [y, x, c] = [Math.floor(i / channels / wide), Math.floor(i / channels) % wide, i % channels];
    const across = (row: number): number => {
      const from = (box.top + row) * width + box.left;
      return axis(box.width, wide, (at) => source[(from + at) * channels + c]!, x);
    };
    return axis(box.height, high, across, y);
  });
}

test('scaling is to the bit that of plain loops, for any numbers of channels, taps and pixels', () => {
  const side = fc.integer({ min: 1, max: 40 });
  const sizes = fc.record({ h: side, w: side, high: side, wide: side, channels: fc.constantFrom(1, 3, 4) });
  const at = fc.record({ top: fc.nat(3), left: fc.nat(3), seed: fc.integer() });
  fc.assert(
    fc.property(sizes, at, ({ h, w, high, wide, channels }, { top, left, seed }) => {
      const from: Shape = [h + top + 1, w + left + 1, channels];
      const to: Shape = [high, wide, channels];
      const pixels = Uint8Array.from({ length: from[0] * from[1] * channels + 1 }, (_, i) =>
        i % 5 === 0 ? 255 : Math.imul(i + seed, 0x9e3779b1) >>> 24,
      );
      const box = { top, left, height: h, width: w };
      const target = new Uint8Array(high * wide * channels + 2).fill(88);
      openResample(from, to)(pixels, 1, box, target, 1);
      expect([target[0], target.at(-1)]).toEqual([88, 88]);
      expect(target.subarray(1, -1)).toEqual(scaledPlainly(pixels.subarray(1), from, box, to));
    }),
    { seed: 1, numRuns: 60 },
  );
});

test('cropWindow takes what it covers, black elsewhere, and writes nothing else', () => {
  const source = Uint8Array.of(99, 1, 2, 3, 4, 5, 6);
  const cut = (top: number, left: number, h: number, w: number): number[] => {
    const target = new Uint8Array(h * w + 2).fill(88);
    cropWindow(source, 1, target, 1, [2, 3, 1], { top, left, height: h, width: w });
    expect([target[0], target.at(-1)]).toEqual([88, 88]);
    return [...target.subarray(1, -1)];
  };
  expect(cut(0, 1, 2, 2)).toEqual([2, 3, 5, 6]);
  expect(cut(-1, -1, 2, 3)).toEqual([0, 0, 0, 0, 1, 2]);
  expect(cut(1, 2, 2, 2)).toEqual([6, 0, 0, 0]);
  expect(cut(5, 9, 1, 2)).toEqual([0, 0]);
});

test('cover clips at the border', () => {
  const own = new Uint8Array(9).fill(1);
  cover(own, 0, [3, 3, 1], { y: 0, x: 2, size: 3, colour: [5] });
  expect([...own]).toEqual([1, 5, 5, 1, 5, 5, 1, 1, 1]);
});
