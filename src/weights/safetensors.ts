import { bytesOf } from './dtypes.ts';
import type { OpenFile } from './file.ts';
import { LONGEST_DESCRIPTION } from './limits.ts';
import { describeArrays, headerLength, LENGTH_BYTES } from './safetensors-header.ts';
import type { Dtype, Listing, StoredArray } from './types.ts';

const dtypes = Object.keys(bytesOf) as Dtype[];

/**
 * Lists a safetensors file: header length (8 bytes, little-endian), header (JSON), data without gaps or overlaps.
 *
 * @see https://huggingface.co/docs/safetensors/index#format
 * @throws {TailmixError} WEIGHTS_DAMAGED
 */
export async function listSafetensors(file: OpenFile): Promise<Listing> {
  const { path, size, fail } = file;
  const length = headerLength(await file.read(0, Math.min(size, LENGTH_BYTES)), size, fail, LONGEST_DESCRIPTION);
  const start = LENGTH_BYTES + length;
  const header = textOf(await file.read(LENGTH_BYTES, length), fail);
  const { arrays, metadata } = describeArrays(header, { start, size, dtypes, fail });
  const stored = arrays.map(({ name, dtype, shape, from }): [string, StoredArray] => [
    name,
    { shape, dtype, file: path, offset: start + from, strides: null },
  ]);
  return { arrays: new Map(stored), metadata };
}

function textOf(bytes: Buffer, fail: (found: string) => Error): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fail('its header is not that of one');
  }
}
