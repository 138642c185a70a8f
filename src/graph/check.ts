import { sizeOf } from '../util/shape.ts';
import { wrongInput } from './errors.ts';
import type { HostArray, Signature } from './types.ts';

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;

/**
 * Compares what a step is fed with its signature: names, element types, lengths.
 *
 * @throws {TailmixError} STEP_INPUT, naming the input, what was expected and what came.
 */
export function checkFeeds(signature: Signature, inputs: Readonly<Record<string, HostArray>>): void {
  for (const [name, { shape, dtype }] of Object.entries(signature.inputs)) {
    const array = inputs[name];
    const length = sizeOf(shape);
    if (!(array instanceof ARRAYS[dtype]) || array.length !== length) {
      throw wrongInput(
        signature.call,
        name,
        `${dtype}[${shape.join(', ')}]`,
        array ? `${array.constructor.name} of ${array.length}` : 'nothing',
      );
    }
  }
  for (const name of Object.keys(inputs)) {
    if (!signature.inputs[name])
      throw wrongInput(signature.call, name, 'no such input', `${inputs[name]!.length} values`);
  }
}
