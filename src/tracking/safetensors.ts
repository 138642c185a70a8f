import { describeArrays, headerLength, LENGTH_BYTES, METADATA } from '../weights/safetensors-header.ts';
import { damagedTensorFile } from './errors.ts';

/** An array as safetensors keeps it: F32 or I32. */
export interface SafeTensor {
  shape: readonly number[];
  values: Float32Array | Int32Array;
}

export interface SafeTensors {
  tensors: Record<string, SafeTensor>;
  /** The format allows text only. */
  metadata: Record<string, string>;
}

/**
 * The parts of a safetensors file, to be written one after the other: header length (8 bytes, little-endian), header
 * (JSON, padded with spaces to a multiple of 8), data (little-endian, without gaps, in the order given).
 *
 * @see https://huggingface.co/docs/safetensors/index#format
 */
export function encodeSafetensors({ tensors, metadata }: SafeTensors): Uint8Array[] {
  const header: [string, unknown][] = [[METADATA, metadata]];
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const end = offset + values.byteLength;
    header.push([name, { dtype: values instanceof Int32Array ? 'I32' : 'F32', shape, data_offsets: [offset, end] }]);
    data.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(padded.length));
  return [length, padded, ...data];
}

/**
 * Reads a safetensors file of F32 and I32 arrays; every number of its header is checked against the bytes there are.
 *
 * @param path - for messages
 * @throws {TailmixError} CHECKPOINT_DAMAGED
 */
export function decodeSafetensors(bytes: Buffer, path: string): SafeTensors {
  const fail = (found: string): Error => damagedTensorFile(path, found);
  const size = bytes.length;
  const start = LENGTH_BYTES + headerLength(bytes, size, fail);
  const header = bytes.toString('utf8', LENGTH_BYTES, start);
  const { arrays, metadata } = describeArrays(header, { start, size, dtypes: ['F32', 'I32'], fail });
  const tensors = arrays.map(({ name, dtype, shape, from, to }): [string, SafeTensor] => {
    const copy = new Uint8Array(bytes.subarray(start + from, start + to)).buffer;
    return [name, { shape, values: dtype === 'I32' ? new Int32Array(copy) : new Float32Array(copy) }];
  });
  return { tensors: Object.fromEntries(tensors), metadata };
}
