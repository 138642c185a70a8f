import { describe, expect, test } from 'vitest';
import { cpuFeatures } from '../../src/backend/cpu.ts';
import { batchNorm, relu } from '../../src/backend/kernels/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { hasCustomOps } from '../../src/backend/native.ts';
import { opOf } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { toStandardConvolutions } from '../../src/graph/standard-convolutions.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { toHalfConvolutions } from '../../src/step/captured/half-convolutions.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { type Convolution, programOf, type Shape, signature } from './captured-support.ts';

const backend = await loadBackend('native').catch(() => null);
const why = hasCustomOps()
  ? 'the processor has no bfloat16'
  : "tailmix's custom ops are not loaded: see `tailmix doctor`";
const tiles = cpuFeatures()?.amx_bf16 === true;
const can = hasCustomOps() && (tiles || cpuFeatures()?.avx512_bf16 === true);
if (!can) console.warn(`SKIPPED: custom convolutions in bfloat16, ${why}`);
else if (!tiles) console.warn('SKIPPED on AMX tiles: convolutions in bfloat16; without AMX they are tested');

/** Whole numbers, −2 to 2: bfloat16 has them all, and float32 their sums. */
const integers = (shape: readonly number[], salt: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i * salt + (i >> 5)) % 5) - 2);

/** To the nearest bfloat16, ties to even. */
const rounded = (value: number): number => {
  const float = Float32Array.of(value);
  const bits = new Uint32Array(float.buffer);
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >> 16) & 1)) & 0xffff0000;
  return float[0]!;
};

/** A sum rounded once. Minimal filtering, without AMX, rounds in float32 before: of two neighbours it may give either where the sum
 * is halfway. */
function expectRounded(got: number, sum: number): void {
  const largest = tiles ? 0 : 2 ** -8 * Math.abs(sum) + 1e-2;
  expect(Math.abs(got - (tiles ? rounded(sum) : sum))).toBeLessThanOrEqual(largest);
}

/** One result of a 3×3 convolution with zeros around. `weight`: of tap, channel of x, channel of the result. */
function resultAt(
  x: Float32Array,
  [, height, width, inputs]: Shape,
  [image, row, column]: readonly [number, number, number],
  weight: (tap: number, i: number) => number,
): number {
  let sum = 0;
  for (let tap = 0; tap < 9; tap++) {
    const [y, z] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
    if (y < 0 || z < 0 || y >= height || z >= width) continue;
    const from = ((image * height + y) * width + z) * inputs;
    for (let i = 0; i < inputs; i++) sum += x[from + i]! * weight(tap, i);
  }
  return sum;
}

const vector = (length: number, value: (i: number) => number): Float32Array =>
  Float32Array.from({ length }, (_, i) => value(i));

const shapesOf = ({ images, out, size = 3, stride = 1 }: Convolution): Record<'x' | 'filter' | 'residual', Shape> => ({
  x: images,
  filter: [size, size, images[3], out],
  residual: [images[0], Math.ceil(images[1] / stride), Math.ceil(images[2] / stride), out],
});

/** `y = relu(norm(x ∗ filter) + residual)`, norm by running statistics, and the gradient of `Σ (x ∗ filter) · residual`. */
const stepOf =
  ({ stride = 1 }: Convolution): GraphFunction =>
  ({ filter, scale, shift, mean, variance }, { x, residual }) => {
    const convolve = (images: tf.Tensor): tf.Tensor4D =>
      tf.conv2d(images as tf.Tensor4D, filter as tf.Tensor4D, stride, 'same');
    const norm = batchNorm(
      convolve(x!),
      scale as tf.Tensor1D,
      shift as tf.Tensor1D,
      mean as tf.Tensor1D,
      variance as tf.Tensor1D,
      { training: false, epsilon: 0 },
    ).y;
    const dx = tf.grad((images) => convolve(images).mul(residual!).sum())(x!);
    return { state: {}, outputs: { y: relu(norm.add(residual!)), dx } };
  };

const stateOf = (convolution: Convolution) => ({
  filter: { shape: shapesOf(convolution).filter, values: integers(shapesOf(convolution).filter, 7) },
  scale: { shape: [convolution.out], values: vector(convolution.out, (i) => 1 + (i % 2)) },
  shift: { shape: [convolution.out], values: vector(convolution.out, (i) => (i % 9) - 4) },
  mean: { shape: [convolution.out], values: vector(convolution.out, () => 0) },
  variance: { shape: [convolution.out], values: vector(convolution.out, () => 1) },
});

const inputsOf = (convolution: Convolution): Record<'x' | 'residual', [Shape, 'float32']> => ({
  x: [shapesOf(convolution).x, 'float32'],
  residual: [shapesOf(convolution).residual, 'float32'],
});

/** Custom ops in a step, after the rewrite for bfloat16. */
function customOps(convolution: Convolution, runs = true, onTiles = true): string[] {
  const shapes = createShapeInference(backend!.binding!);
  const state = stateOf(convolution);
  const recording = trace(stepOf(convolution), signature('step', inputsOf(convolution)), { shapes, state });
  const { nodes } = toHalfConvolutions(toStandardConvolutions(recording), () => runs, onTiles);
  return [...new Set(nodes.map(opOf).filter((op) => op.startsWith('Tailmix')))].sort();
}

describe.skipIf(!can)('custom convolutions in bfloat16', () => {
  /** Fewer pixels than a tile has, more than a block has, and a last tile that is not full. */
  test.each<Convolution>([
    { images: [3, 2, 2, 256], out: 512 },
    { images: [5, 7, 6, 512], out: 256 },
    { images: [9, 11, 12, 256], out: 512 },
    { images: [2, 13, 10, 256], out: 256 },
  ])('%j are summed in float32 and rounded once, bias, residual and ReLU included', (convolution) => {
    const { images, out } = convolution;
    const [batch, height, width, channels] = images;
    const { filter, residual } = shapesOf(convolution);
    const state = stateOf(convolution);
    const inputs = inputsOf(convolution);
    const program = programOf(stepOf(convolution), inputs, state);
    const engine = createCapturedEngine(program, backend!, { precision: 'bf16' });
    try {
      const [x, r] = [integers(images, 3), integers(residual, 11)];
      const { y, dx } = engine.run(signature('step', inputs), { x, residual: r });
      const weights = integers(filter, 7);
      for (let pixel = 0; pixel < batch * height * width; pixel += 5) {
        const at = [Math.floor(pixel / width / height), Math.floor(pixel / width) % height, pixel % width] as const;
        for (let o = pixel % 3; o < out; o += 17) {
          const sum = resultAt(x, images, at, (tap, i) => weights[(tap * channels + i) * out + o]!);
          const normalised = sum * state.scale.values[o]! + state.shift.values[o]!;
          expectRounded(y![pixel * out + o]!, Math.max(0, normalised + r[pixel * out + o]!));
        }
        for (let i = pixel % 3; i < channels; i += 17) {
          const sum = resultAt(r, residual, at, (tap, o) => weights[((8 - tap) * channels + i) * out + o]!);
          expectRounded(dx![pixel * channels + i]!, sum);
        }
      }
    } finally {
      engine.dispose();
    }
  });

  test('on AMX tiles serve filters larger than the second cache, and only where a kernel runs', () => {
    const both = ['TailmixConv2D', 'TailmixConv2DBackpropInput'];
    expect(customOps({ images: [3, 4, 4, 256], out: 512 })).toEqual(both);
    expect(customOps({ images: [3, 4, 4, 256], out: 512 }, false)).toEqual([]);
    expect(customOps({ images: [3, 4, 4, 256], out: 256 }), 'a small filter').toEqual([]);
    expect(customOps({ images: [3, 4, 4, 384], out: 512 }), 'channels of x not in 256s').toEqual(both.slice(1));
    expect(customOps({ images: [3, 4, 4, 512], out: 288 }), 'channels of y not in 256s').toEqual(both.slice(0, 1));
    expect(customOps({ images: [3, 4, 4, 512], out: 512, stride: 2 })).toEqual([]);
    expect(customOps({ images: [3, 4, 4, 2048], out: 1024, size: 1 })).toEqual([]);
  });

  test('without AMX serve 3×3 with stride 1 that have pixels enough for their channels', () => {
    const both = ['TailmixConv2D', 'TailmixConv2DBackpropInput'];
    const ops = (convolution: Convolution): string[] => customOps(convolution, true, false);
    expect(ops({ images: [3, 8, 8, 16], out: 48 })).toEqual(both);
    expect(customOps({ images: [3, 8, 8, 16], out: 48 }, false, false)).toEqual([]);
    expect(ops({ images: [4, 7, 7, 256], out: 256 })).toEqual(both);
    expect(ops({ images: [1, 4, 4, 256], out: 256 }), 'too few tiles').toEqual([]);
    expect(ops({ images: [16, 7, 7, 512], out: 512 }), 'a large filter, few pixels').toEqual([]);
    expect(ops({ images: [64, 4, 4, 512], out: 512 })).toEqual(both);
    expect(ops({ images: [3, 8, 8, 24], out: 48 }), 'channels not in 16s').toEqual([]);
    expect(ops({ images: [3, 8, 8, 16], out: 48, stride: 2 })).toEqual([]);
    expect(ops({ images: [3, 8, 8, 16], out: 48, size: 1 })).toEqual([]);
  });
});
