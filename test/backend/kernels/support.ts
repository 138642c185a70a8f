import { describe } from 'vitest';
import { type BackendName, loadBackend } from '../../../src/backend/load.ts';
import { whyNotNative } from '../../../src/backend/native.ts';
import { randomStream } from '../../../src/random.ts';
import { tf } from '../../../src/tf.ts';
import { sizeOf } from '../../../src/util/shape.ts';

/** Runs a suite on the native backend and on WASM. */
export function describeBackends(title: string, suite: (use: () => Promise<void>, name: BackendName) => void): void {
  for (const name of ['native', 'wasm'] as const) {
    const missing = name === 'native' ? whyNotNative('native') : null;
    if (missing !== null) console.warn(`SKIPPED: ${title} on the native backend, ${missing}`);
    describe.skipIf(missing !== null)(`${title} (${name})`, () => {
      suite(async () => void (await loadBackend(name)), name);
    });
  }
}

/** Standard normal numbers of a fixed stream, by name. */
export function normals(shape: number[], name: string, { awayFromZero = 0 } = {}): tf.Tensor {
  const random = randomStream(7, name);
  const size = sizeOf(shape);
  const values = Float32Array.from({ length: size }, () => {
    const value = random.normal();
    return value + Math.sign(value) * awayFromZero;
  });
  return tf.tensor(values, shape);
}

/** `‖a − b‖ / ‖b‖` over all elements. */
export function relativeDistance(a: tf.Tensor, b: tf.Tensor): number {
  const [x, y] = [a.dataSync(), b.dataSync()];
  if (a.shape.join() !== b.shape.join()) throw new Error(`shapes differ: [${a.shape}] and [${b.shape}]`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < y.length; i++) {
    difference += (x[i]! - y[i]!) ** 2;
    norm += y[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

type Function = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Gradients of `Σ f(inputs)·weights` by tfjs, weights being fixed random numbers. */
export function gradientsOf(f: Function, inputs: tf.Tensor[]): tf.Tensor[] {
  const y = f(...inputs);
  return tf.grads(f)(inputs, normals(y.shape, 'cotangent'));
}

/** The same gradients by central differences, element by element, summed in double precision. */
export function differencesOf(f: Function, inputs: tf.Tensor[], step = 0.02): tf.Tensor[] {
  const values = inputs.map((input) => input.dataSync().slice() as Float32Array);
  const weights = tf.tidy(() => normals(f(...inputs).shape, 'cotangent').dataSync());
  const at = (): number =>
    tf.tidy(() => {
      const y = f(...inputs.map((input, i) => tf.tensor(values[i]!, input.shape))).dataSync() as Float32Array;
      return y.reduce((sum, value, i) => sum + value * weights[i]!, 0);
    });
  return inputs.map((input, which) => {
    const array = values[which]!;
    const slopes = array.map((value, i) => {
      array[i] = value + step;
      const above = at();
      const width = array[i]!;
      array[i] = value - step;
      const slope = (above - at()) / (width - array[i]!);
      array[i] = value;
      return slope;
    });
    return tf.tensor(slopes, input.shape);
  });
}
