import { createHash } from 'node:crypto';
import type { Snapshot } from '../run.ts';

/** SHA-256, hex, over names, shapes and values of weights and statistics. */
export function checksumOf(state: Snapshot['state'], weights: readonly string[]): string {
  const hash = createHash('sha256');
  for (const name of weights) {
    const { shape, values } = state[name]!;
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}
