import { describe, expect, test } from 'vitest';
import { cpuFeatures } from '../../src/backend/cpu.ts';
import { suitsOwnConvolution } from '../../src/backend/kernels/own-ops.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { hasOwnOps } from '../../src/backend/native.ts';
import { runsInBfloat16 } from '../../src/step/captured/bf16.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import type { OpNode, Recording } from '../../src/step/captured/recording.ts';
import { createShapeInference } from '../../src/step/captured/shapes.ts';
import { toStandardConvolutions } from '../../src/step/captured/standard-convolutions.ts';
import { trace } from '../../src/step/captured/trace.ts';
import type { StepFunction } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { convolutionSizes, programOf, signature, sizeOf } from './captured-support.ts';

const backend = await loadBackend('native').catch(() => null);
const why = hasOwnOps() ? 'the processor has no AMX' : "tailmix's own ops are not loaded: see `tailmix doctor`";
const can = hasOwnOps() && cpuFeatures()?.amx_bf16 === true;
if (!can) console.warn(`SKIPPED: the filter's gradient on AMX tiles, ${why}`);

type Shape = [number, number, number, number];

/** Whole numbers, −3 to 3: bfloat16 has them all, and float32 their sums. A gradient in bfloat16 would be rounded. */
const integers = (count: number, salt: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * salt + (i >> 5)) % 7) - 3);

/** Σ x · dy over all pixels, one tap and one pair of channels at a time. */
function filterGradient(x: Float32Array, dy: Float32Array, [batch, height, width, inputs]: Shape, outputs: number) {
  const sums = new Float64Array(9 * inputs * outputs);
  for (let image = 0; image < batch; image++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        for (let tap = 0; tap < 9; tap++) {
          const [y, z] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
          if (y < 0 || z < 0 || y >= height || z >= width) continue;
          const from = ((image * height + y) * width + z) * inputs;
          const to = ((image * height + row) * width + column) * outputs;
          for (let i = 0; i < inputs; i++)
            for (let o = 0; o < outputs; o++) sums[(tap * inputs + i) * outputs + o]! += x[from + i]! * dy[to + o]!;
        }
  return Float32Array.from(sums);
}

const stepOf =
  (filterShape: Shape): StepFunction =>
  (_, { x, dy }) => {
    const total = (filter: tf.Tensor): tf.Scalar =>
      tf
        .conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same')
        .mul(dy!)
        .sum();
    return { state: {}, outputs: { dfilter: tf.grad(total)(tf.zeros(filterShape)) } };
  };

describe.skipIf(!can)("the filter's gradient in bfloat16", () => {
  /** Also one pixel alone, rows longer than a block of pixels, odd groups of channels. */
  test.each<[images: Shape, out: number]>([
    ...convolutionSizes,
    [[40, 8, 8, 64], 64],
    [[130, 1, 1, 32], 32],
    [[1, 5, 600, 32], 32],
    [[2, 3, 700, 16], 48],
  ])('%j to %d channels is summed in float32, to the last digit', (shape, out) => {
    const filterShape: Shape = [3, 3, shape[3], out];
    expect(suitsOwnConvolution(shape, filterShape, { strides: 1, pad: 'same' })).toBe(true);
    const dyShape: Shape = [shape[0], shape[1], shape[2], out];
    const inputs = { x: [shape, 'float32'], dy: [dyShape, 'float32'] } as const;
    const step = stepOf(filterShape);
    const engine = createCapturedEngine(programOf(step, inputs, {}), backend!, { precision: 'bf16' });
    try {
      const [x, dy] = [integers(sizeOf(shape), 3), integers(sizeOf(dyShape), 5)];
      const { dfilter } = engine.run(signature('step', inputs), { x, dy });
      expect(dfilter).toEqual(filterGradient(x, dy, shape, out));
    } finally {
      engine.dispose();
    }
  });

  test('is left to the own op where a kernel runs, and to TensorFlow elsewhere', () => {
    const shape: Shape = [9, 13, 10, 32];
    const inputs = { x: [shape, 'float32'], dy: [shape, 'float32'] } as const;
    const shapes = createShapeInference(backend!.binding!);
    const recording = trace(stepOf([3, 3, 32, 32]), signature('step', inputs), { shapes, state: {} });
    const opsOf = ({ nodes }: Recording): string[] =>
      nodes.flatMap((node) => (node.kind === 'op' && node.op.includes('Filter') ? [node.op] : []));
    const left = (runs: boolean): string[] =>
      opsOf(toStandardConvolutions(recording, (node: OpNode) => runsInBfloat16(recording, node, () => runs)));
    expect(opsOf(recording)).toEqual(['TailmixConv2DBackpropFilter']);
    expect(left(true)).toEqual(['TailmixConv2DBackpropFilter']);
    expect(left(false)).toEqual(['Conv2DBackpropFilter']);
  });
});
