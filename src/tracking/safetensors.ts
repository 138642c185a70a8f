import { describeArrays, headerLength, LENGTH_BYTES, METADATA } from '../weights/safetensors-header.ts';
import { damagedTensorFile } from './errors.ts';

/** Types of arrays that are written and read here; of F16 the bits. */
interface Arrays {
  F32: Float32Array;
  I32: Int32Array;
  F16: Uint16Array;
}

/** An array as safetensors keeps it: F32 or I32, where it is said F16. */
export interface SafeTensor<Kind extends keyof Arrays = 'F32' | 'I32'> {
  shape: readonly number[];
  values: Arrays[Kind];
}

export interface SafeTensors<Kind extends keyof Arrays = 'F32' | 'I32'> {
  tensors: Record<string, SafeTensor<Kind>>;
  /** The format allows text only. */
  metadata: Record<string, string>;
}

/**
 * The parts of a safetensors file, to be written one after the other: header length (8 bytes, little-endian), header
 * (JSON, padded with spaces to a multiple of 8), data (little-endian, without gaps, in the order given).
 *
 * @see https://huggingface.co/docs/safetensors/index#format
 */
export function encodeSafetensors({ tensors, metadata }: SafeTensors<keyof Arrays>): Uint8Array[] {
  const header: [string, unknown][] = [[METADATA, metadata]];
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const end = offset + values.byteLength;
    header.push([name, { dtype: dtypeOf(values), shape, data_offsets: [offset, end] }]);
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

const dtypeOf = (values: Arrays[keyof Arrays]): keyof Arrays => {
  if (values instanceof Uint16Array) return 'F16';
  return values instanceof Int32Array ? 'I32' : 'F32';
};

/**
 * Reads a safetensors file of F32 and I32 arrays; every number of its header is checked against the bytes there are.
 *
 * @param path - for messages
 * @throws {TailmixError} CHECKPOINT_DAMAGED
 */
export const decodeSafetensors = (bytes: Buffer, path: string): SafeTensors =>
  decodeArrays(bytes, ['F32', 'I32'], (found) => damagedTensorFile(path, found));

const arrayOf: { [Kind in keyof Arrays]: (bytes: ArrayBuffer) => Arrays[Kind] } = {
  F32: (bytes) => new Float32Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  F16: (bytes) => new Uint16Array(bytes),
};

/**
 * The same of a file of which it is said what types it has.
 *
 * @param fail - makes the error of what is wrong with it
 */
export function decodeArrays<Kind extends keyof Arrays>(
  bytes: Buffer,
  dtypes: readonly Kind[],
  fail: (found: string) => Error,
): SafeTensors<Kind> {
  const size = bytes.length;
  const start = LENGTH_BYTES + headerLength(bytes, size, fail);
  const header = bytes.toString('utf8', LENGTH_BYTES, start);
  const { arrays, metadata } = describeArrays(header, { start, size, dtypes, fail });
  const tensors = arrays.map(({ name, dtype, shape, from, to }): [string, SafeTensor<Kind>] => {
    const copy = new Uint8Array(bytes.subarray(start + from, start + to)).buffer;
    return [name, { shape, values: arrayOf[dtype](copy) }];
  });
  return { tensors: Object.fromEntries(tensors), metadata };
}
