import { createHash, type Hash } from 'node:crypto';
import type { Snapshot } from '../run.ts';
import type { SafeTensors } from './safetensors.ts';

/** SHA-256, hex, over names, shapes and values of weights and statistics. */
export const checksumOf = (state: Snapshot['state'], weights: readonly string[]): string =>
  withArrays(createHash('sha256'), state, weights).digest('hex');

/** A hash with names, shapes and values of arrays, in the order of `names`. */
export function withArrays(hash: Hash, arrays: SafeTensors['tensors'], names: readonly string[]): Hash {
  for (const name of names) {
    const { shape, values } = arrays[name]!;
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash;
}
