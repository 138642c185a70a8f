import { cubic } from '../../data/transforms/resample.ts';

/** Where a new point's value comes from: the first old point, and the weight of that one and of those after it. */
function tapsOf(from: number, to: number): { first: number; weights: number[] }[] {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5));
    const end = Math.min(from, Math.trunc(centre + 2 * stretch + 0.5));
    const raw = Array.from({ length: end - first }, (_, j) => cubic((first + j + 0.5 - centre) / stretch));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}

/**
 * Vectors at the points of a grid, `[rows, columns, width]`, for a grid of another size: bicubic with anti-aliasing, as
 * PyTorch's `interpolate(mode='bicubic', antialias=True)`. This is timm's `resample_abs_pos_embed`.
 */
export function resampleGrid(
  values: Float32Array,
  [rows, columns]: readonly [number, number],
  [newRows, newColumns]: readonly [number, number],
): Float32Array {
  const width = values.length / (rows * columns);
  const across = new Float64Array(rows * newColumns * width);
  for (const [column, { first, weights }] of tapsOf(columns, newColumns).entries()) {
    for (let row = 0; row < rows; row++) {
      for (const [j, weight] of weights.entries()) {
        const from = (row * columns + first + j) * width;
        const to = (row * newColumns + column) * width;
        for (let i = 0; i < width; i++) across[to + i]! += weight * values[from + i]!;
      }
    }
  }
  const length = newColumns * width;
  const result = new Float64Array(newRows * length);
  for (const [row, { first, weights }] of tapsOf(rows, newRows).entries()) {
    for (const [j, weight] of weights.entries()) {
      for (let i = 0; i < length; i++) result[row * length + i]! += weight * across[(first + j) * length + i]!;
    }
  }
  return Float32Array.from(result);
}
