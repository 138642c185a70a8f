import { describe, expect, test } from 'vitest';
import { style } from '../../src/report/page/style.ts';

type Triple = [number, number, number];

/** Dichromacy in linear RGB: Machado, Oliveira and Fernandes 2009, severity 1. */
const visions: Record<string, [Triple, Triple, Triple]> = {
  'normal sight': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const linear = (hex: string) =>
  [1, 3, 5].map((i) => {
    const v = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  }) as Triple;
const times = (matrix: readonly Triple[], v: Triple) =>
  matrix.map((row) => Math.min(1, Math.max(0, row[0] * v[0] + row[1] * v[1] + row[2] * v[2]))) as Triple;
const luminance = (v: Triple) => 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];

function lab(v: Triple): Triple {
  const [x, y, z] = times(
    [
      [0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505],
      [0.2126, 0.7152, 0.0722],
      [0.0193 / 1.089, 0.1192 / 1.089, 0.9505 / 1.089],
    ],
    v,
  ).map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116)) as Triple;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const [light, dark, print] = [...style.matchAll(/--m0: .*/g)].map(([line]) => line.match(/#[0-9a-f]{6}/g) ?? []);

test('the print palette is the light one', () => {
  expect(light).toHaveLength(8);
  expect(print).toEqual(light);
});

describe.each([
  ['light', light!, /--ground: (#\w{6})/.exec(style)![1]!],
  ['dark', dark!, [...style.matchAll(/--ground: (#\w{6})/g)][1]![1]!],
])('%s', (_, palette, ground) => {
  test.each(Object.entries(visions))('no two methods look alike: %s', (_, matrix) => {
    const seen = palette.map((hex) => lab(times(matrix, linear(hex))));
    for (const [i, a] of seen.entries()) {
      for (const [j, b] of seen.slice(0, i).entries()) {
        const distance = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
        expect(distance, `--m${j} and --m${i}`).toBeGreaterThan(12);
      }
    }
  });

  test('every method stands out from the ground (WCAG 1.4.11)', () => {
    for (const hex of palette) {
      const [a, b] = [luminance(linear(hex)), luminance(linear(ground))].sort((x, y) => y - x) as [number, number];
      expect((a + 0.05) / (b + 0.05), hex).toBeGreaterThan(3);
    }
  });
});
