import type { WeightSpec } from '../types.ts';

/** How a library names the arrays of a family of networks. */
export interface Dialect {
  /** For messages: `torchvision`, `timm`. */
  library: string;
  /** Name in the library's files of a weight of ours. */
  nameOf(weight: string): string;
  /**
   * How a weight is made from that array, where it is not the whole array with its axes in another order.
   *
   * @param names - of all weights of the model
   */
  partOf?(spec: WeightSpec, names: ReadonlySet<string>): Part | null;
  /** Arrays that a file has for another purpose: a text encoder, a mask. */
  isForeign?(name: string): boolean;
}

/** A weight that is made from an array of another shape. */
export interface Part {
  /** Shape of the array, for messages. */
  expected: readonly number[];
  fits(shape: readonly number[]): boolean;
  /** Values of the weight, in our layout: a copy. */
  take(values: Float32Array, shape: readonly number[]): Float32Array;
}

/** The part of an array that is a whole weight. */
export const wholeOf = (spec: WeightSpec): Part => {
  const expected = publishedShape(spec);
  return {
    expected,
    fits: (shape) => shape.join() === expected.join(),
    take: (values) => inOurLayout(values, spec),
  };
};

/** Names of a layer's arrays, by what we call them. */
const PARTS: Readonly<Record<string, string>> = {
  kernel: 'weight',
  bias: 'bias',
  scale: 'weight',
  shift: 'bias',
  'norm/scale': 'weight',
  'norm/shift': 'bias',
  'norm/mean': 'running_mean',
  'norm/variance': 'running_var',
};

/** Modules of PyTorch that a convolution with batch norm, or a dense layer, is made of. */
export interface Modules {
  main: string;
  norm?: string;
}

/** A dialect, by the modules of each of our layers: `stage1/block2/conv1` → `layer1.1.conv1` and `layer1.1.bn1`. */
export const layerNames = (library: string, modulesOf: (layer: string) => Modules): Dialect => ({
  library,
  nameOf(weight) {
    const [, layer, part] = /^(.*?)\/((?:norm\/)?[^/]+)$/.exec(weight)!;
    const { main, norm = main } = modulesOf(layer!);
    return `${part!.startsWith('norm/') ? norm : main}.${PARTS[part!]}`;
  },
});

/**
 * Where each axis of a weight lies in PyTorch's array: kernels are `[out, in, height, width]` there, those of depthwise
 * convolutions `[channels, 1, height, width]`, dense ones `[out, in]`.
 */
export function axesOf({ name, shape }: Pick<WeightSpec, 'name' | 'shape'>): readonly number[] {
  if (shape.length === 4) return name.includes('/depthwise/') ? [2, 3, 0, 1] : [2, 3, 1, 0];
  return shape.length === 2 ? [1, 0] : shape.map((_, axis) => axis);
}

/** Shape of a weight in PyTorch's file. */
export function publishedShape(spec: Pick<WeightSpec, 'name' | 'shape'>): number[] {
  const axes = axesOf(spec);
  return axes.map((_, theirs) => spec.shape[axes.indexOf(theirs)]!);
}

/** A copy of PyTorch's array in the order of a weight of ours. */
export function inOurLayout(values: Float32Array, spec: Pick<WeightSpec, 'name' | 'shape'>): Float32Array {
  const axes = axesOf(spec);
  if (axes.every((theirs, own) => theirs === own)) return values.slice();
  if (axes.length === 2) return transposed(values, spec.shape[0]!, spec.shape[1]!);
  const theirs = publishedShape(spec);
  const strides = theirs.map((_, axis) => theirs.slice(axis + 1).reduce((a, b) => a * b, 1));
  const steps = axes.map((axis) => strides[axis]!);
  const result = new Float32Array(values.length);
  const index = spec.shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = values[at]!;
    for (let axis = index.length - 1; axis >= 0; axis--) {
      at += steps[axis]!;
      if (++index[axis]! < spec.shape[axis]!) break;
      at -= spec.shape[axis]! * steps[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** Side of the squares in which a matrix is transposed: of both, what a square touches stays in the cache. */
const SQUARE = 16;

/** The matrix `[rows, columns]` of one that lies as `[columns, rows]`. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let top = 0; top < rows; top += SQUARE) {
    for (let left = 0; left < columns; left += SQUARE) {
      const [bottom, right] = [Math.min(rows, top + SQUARE), Math.min(columns, left + SQUARE)];
      for (let row = top; row < bottom; row++)
        for (let column = left; column < right; column++) result[row * columns + column] = values[column * rows + row]!;
    }
  }
  return result;
}
