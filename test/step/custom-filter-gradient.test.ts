import { describe, expect, test } from 'vitest';
import { cpuFeatures } from '../../src/backend/cpu.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { hasCustomOps } from '../../src/backend/native.ts';
import type { Recording } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { toStandardConvolutions } from '../../src/graph/standard-convolutions.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { toHalfConvolutions } from '../../src/step/captured/half-convolutions.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { type Convolution, convolutionSizes, programOf, type Shape, signature } from './captured-support.ts';

const backend = await loadBackend('native').catch(() => null);
const why = hasCustomOps()
  ? 'the processor has no bfloat16'
  : "tailmix's custom ops are not loaded: see `tailmix doctor`";
const tiles = cpuFeatures()?.amx_bf16 === true;
const can = hasCustomOps() && (tiles || cpuFeatures()?.avx512_bf16 === true);
if (!can) console.warn(`SKIPPED: the filter's gradient in bfloat16, ${why}`);
else if (!tiles) console.warn('SKIPPED on AMX tiles: the filter’s gradient in bfloat16; without AMX it is tested');

/** Whole numbers, −3 to 3: bfloat16 has them all, and float32 their sums. A gradient in bfloat16 would be rounded. */
const integers = (count: number, salt: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * salt + (i >> 5)) % 7) - 3);

const around = ({ size = 3, stride = 1 }: Convolution): number => (size === 3 && stride === 1 ? 1 : 0);
const resultOf = (convolution: Convolution): Shape => {
  const { images, out, size = 3, stride = 1 } = convolution;
  const side = (length: number): number => Math.floor((length + 2 * around(convolution) - size) / stride) + 1;
  return [images[0], side(images[1]), side(images[2]), out];
};

/** Σ x · dy over all pixels, one tap and one pair of channels at a time. */
function filterGradient(x: Float32Array, dy: Float32Array, convolution: Convolution): Float32Array {
  const { images, out, size = 3, stride = 1 } = convolution;
  const [batch, height, width, inputs] = images;
  const [, down, across] = resultOf(convolution);
  const sums = new Float64Array(size * size * inputs * out);
  for (let image = 0; image < batch; image++)
    for (let row = 0; row < down; row++)
      for (let column = 0; column < across; column++)
        for (let tap = 0; tap < size * size; tap++) {
          const y = row * stride + Math.floor(tap / size) - around(convolution);
          const z = column * stride + (tap % size) - around(convolution);
          if (y < 0 || z < 0 || y >= height || z >= width) continue;
          const from = ((image * height + y) * width + z) * inputs;
          const to = ((image * down + row) * across + column) * out;
          for (let i = 0; i < inputs; i++)
            for (let o = 0; o < out; o++) sums[(tap * inputs + i) * out + o]! += x[from + i]! * dy[to + o]!;
        }
  return Float32Array.from(sums);
}

const stepOf = (convolution: Convolution): GraphFunction => {
  const { images, out, size = 3, stride = 1 } = convolution;
  return (_, { x, dy }) => {
    const total = (filter: tf.Tensor): tf.Scalar =>
      tf
        .conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, around(convolution) === 1 ? 'same' : 'valid')
        .mul(dy!)
        .sum();
    return { state: {}, outputs: { dfilter: tf.grad(total)(tf.zeros([size, size, images[3], out])) } };
  };
};

const inputsOf = (convolution: Convolution): Record<'x' | 'dy', [Shape, 'float32']> => ({
  x: [convolution.images, 'float32'],
  dy: [resultOf(convolution), 'float32'],
});

/** Without AMX, 3×3 with zeros around is computed by minimal filtering, whose rounding error is that of float32 for what it adds up. */
function expectGradient(dfilter: Float32Array, convolution: Convolution, expected: Float32Array): void {
  const exact = tiles || around(convolution) === 0;
  const largest = exact ? 0 : 1e-6 * 4 * sizeOf(convolution.images.slice(0, 3));
  const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(dfilter[i]! - value)), 0);
  expect(error).toBeLessThanOrEqual(largest);
  expect(dfilter.length).toBe(expected.length);
}

const ops = (convolution: Convolution, runs: boolean): { traced: string[]; half: string[] } => {
  const shapes = createShapeInference(backend!.binding!);
  const recording = trace(stepOf(convolution), signature('step', inputsOf(convolution)), { shapes, state: {} });
  const opsOf = ({ nodes }: Recording): string[] =>
    nodes.flatMap((node) => (node.kind === 'op' && node.op.includes('Filter') ? [node.op] : []));
  const half = toHalfConvolutions(toStandardConvolutions(recording), () => runs);
  return { traced: opsOf(recording), half: opsOf(half) };
};

describe.skipIf(!can)("the filter's gradient in bfloat16", () => {
  /**
   * Also one pixel alone, rows longer than a block of pixels, odd groups of channels, more channels than pixels (which the
   * threads then share), filters without zeros around, in strides.
   */
  test.each<Convolution>([
    ...convolutionSizes.map(([images, out]) => ({ images, out })),
    { images: [40, 8, 8, 64], out: 64 },
    { images: [130, 1, 1, 32], out: 32 },
    { images: [1, 5, 600, 32], out: 32 },
    { images: [2, 3, 700, 16], out: 48 },
    { images: [4, 4, 4, 160], out: 96 },
    { images: [5, 4, 4, 96], out: 160 },
    { images: [3, 19, 13, 64], out: 32, size: 1 },
    { images: [2, 6, 5, 96], out: 256, size: 1 },
    { images: [4, 15, 18, 32], out: 64, size: 1, stride: 2 },
    { images: [3, 17, 12, 64], out: 96, stride: 2 },
    { images: [2, 5, 5, 160], out: 32, stride: 2 },
    { images: [2, 23, 20, 32], out: 32, size: 5, stride: 3 },
  ])('%j is summed in float32, to the last digit but for minimal filtering', (convolution) => {
    expect(ops(convolution, true).half).toEqual(['TailmixConv2DBackpropFilter']);
    const inputs = inputsOf(convolution);
    const engine = createCapturedEngine(programOf(stepOf(convolution), inputs, {}), backend!, { precision: 'bf16' });
    try {
      const [x, dy] = [integers(sizeOf(inputs.x[0]), 3), integers(sizeOf(inputs.dy[0]), 5)];
      const { dfilter } = engine.run(signature('step', inputs), { x, dy });
      expectGradient(dfilter as Float32Array, convolution, filterGradient(x, dy, convolution));
    } finally {
      engine.dispose();
    }
  });

  test('is left to the custom op where a kernel runs, and to TensorFlow elsewhere', () => {
    const plain: Convolution = { images: [9, 13, 10, 32], out: 32 };
    expect(ops(plain, true).traced).toEqual(['TailmixConv2DBackpropFilter']);
    expect(ops(plain, false).half).toEqual(['Conv2DBackpropFilter']);
    expect(ops({ ...plain, size: 1 }, true).traced).toEqual(['Conv2DBackpropFilter']);
    expect(ops({ ...plain, size: 1, out: 48 }, true).half, 'channels not in 32s').toEqual(['Conv2DBackpropFilter']);
    expect(ops({ ...plain, images: [9, 13, 10, 3] }, true).half).toEqual(['Conv2DBackpropFilter']);
  });
});
