import type { tf } from '../../src/tf.ts';
import { programOf, signature } from './captured-support.ts';

export const inputs = { x: [[4], 'float32'], n: [[4], 'int32'] } as const;
export const call = signature('step', inputs);
export const values = { x: Float32Array.of(1, 2, 3, 4), n: Int32Array.of(0, 1, 2, 3) };
export const state = { w: { shape: [4], values: Float32Array.of(1, 1, 1, 1) } };

/** A program with one output `y`. */
export const giving = (y: (x: tf.Tensor, n: tf.Tensor, w: tf.Tensor) => tf.Tensor) =>
  programOf(({ w }, { x, n }) => ({ state: {}, outputs: { y: y(x!, n!, w!) } }), inputs, state);

/** The same, built by a plugin, as the trainer says who is building: only while it is. */
export function byPlugin(y: Parameters<typeof giving>[0]) {
  let owner: string | undefined;
  const program = giving((...inputs) => {
    owner = 'my-plugin';
    try {
      return y(...inputs);
    } finally {
      owner = undefined;
    }
  });
  return { program, owner: () => owner };
}
