import { beforeAll, describe } from 'vitest';
import type { TensorFlowBinding } from '../../src/backend/binding.ts';
import { type Backend, loadBackend } from '../../src/backend/load.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import type { GraphFunction, GraphProgram, HostArray, HostOutputs, Signature } from '../../src/graph/types.ts';
import { type CaptureOptions, createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';

const missing = whyNotNative('native');
if (missing !== null) console.warn(`SKIPPED: the captured step is not tested, ${missing}`);

/** Tests of the native backend; `use()` gives it inside a test. */
export function describeNative(title: string, tests: (use: () => Backend) => void): void {
  describe.skipIf(missing !== null)(title, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await loadBackend('native');
    });
    tests(() => backend);
  });
}

type Inputs = Readonly<Record<string, HostArray>>;

/** A signature whose shapes are those of `[shape, dtype]`. */
export const signature = (
  call: string,
  inputs: Readonly<Record<string, readonly [shape: readonly number[], dtype: 'float32' | 'int32' | 'uint8']>> = {},
  variants: Readonly<Record<string, string>> = {},
): Signature => ({
  call,
  variants,
  inputs: Object.fromEntries(Object.entries(inputs).map(([name, [shape, dtype]]) => [name, { shape, dtype }])),
});

/** Numbers in −1…1 without a random generator: the same everywhere. */
export const wave = (length: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * phase));

export type Shape = [number, number, number, number];

/** What a test convolves: images, channels out, a filter's side (3) and stride (1). */
export interface Convolution {
  images: Shape;
  out: number;
  size?: number;
  stride?: number;
}

/** Images and channels out that the custom convolutions take: sizes that do and do not divide into tiles, one image alone. */
export const convolutionSizes: [images: Shape, out: number][] = [
  [[3, 32, 32, 16], 16],
  [[4, 17, 23, 16], 48],
  [[9, 13, 10, 32], 32],
  [[1, 61, 58, 16], 64],
  [[70, 4, 3, 32], 16],
  [[257, 2, 2, 272], 256],
  [[3, 6, 11, 256], 272],
];

/** Initial state of the given shapes. */
export const waves = (shapes: Readonly<Record<string, readonly number[]>>, scale = 0.3): GraphProgram['state'] =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape], phase) => [
      name,
      {
        shape,
        values: wave(sizeOf(shape), phase).map((x) => x * scale),
      },
    ]),
  );

/** A program of one function. */
export const programOf = (
  fn: GraphFunction,
  inputs: Parameters<typeof signature>[1] = {},
  state: GraphProgram['state'] = {},
): GraphProgram => ({ functions: { step: fn }, state, signatures: [signature('step', inputs)] });

/** Eager and captured engine of a program, run side by side. */
export function bothEngines(program: GraphProgram, backend: Backend, options: CaptureOptions = {}) {
  const eager = createEagerEngine(program);
  const captured = createCapturedEngine(program, backend, options);
  return {
    eager,
    captured,
    run(call: Signature, inputs: Inputs): { eager: HostOutputs; captured: HostOutputs } {
      return { eager: eager.run(call, inputs), captured: captured.run(call, inputs) };
    },
    dispose(): void {
      eager.dispose();
      captured.dispose();
    },
  };
}

/** ‖a − b‖ / ‖b‖ over all arrays of the same name. */
export function relativeDistance(
  a: Readonly<Record<string, ArrayLike<number>>>,
  b: Readonly<Record<string, ArrayLike<number>>>,
): number {
  let difference = 0;
  let norm = 0;
  for (const [name, values] of Object.entries(b)) {
    for (let i = 0; i < values.length; i++) {
      difference += (a[name]![i]! - values[i]!) ** 2;
      norm += values[i]! ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

/** Counts what the real binding is asked to do while `work` runs. */
export function countingCalls(backend: Backend, work: (counted: Backend) => void): { ops: number; sessions: number } {
  const binding = backend.binding!;
  const calls = { ops: 0, sessions: 0 };
  const counting = Object.create(binding, {
    executeOp: {
      value: (...call: Parameters<TensorFlowBinding['executeOp']>) => {
        calls.ops++;
        return binding.executeOp(...call);
      },
    },
    runSavedModel: {
      value: (...call: Parameters<TensorFlowBinding['runSavedModel']>) => {
        calls.sessions++;
        return binding.runSavedModel(...call);
      },
    },
  }) as TensorFlowBinding;
  const kernels = tf.backend() as unknown as { binding: TensorFlowBinding };
  kernels.binding = counting;
  try {
    work({ ...backend, binding: counting });
  } finally {
    kernels.binding = binding;
  }
  return calls;
}

/** Tensors alive in tfjs, and in TensorFlow. */
export const liveTensors = (backend: Backend): [number, number] => [
  tf.memory().numTensors,
  backend.binding!.getNumOfTensors(),
];
