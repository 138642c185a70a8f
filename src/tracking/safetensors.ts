import { z } from 'zod';
import { sizeOf } from '../util/shape.ts';
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

const METADATA = '__metadata__';
const LENGTH_BYTES = 8;
/** Longest header, in bytes: that of the format's own library. */
const LONGEST_HEADER = 100_000_000;

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

const tensorHeader = z.object({
  dtype: z.enum(['F32', 'I32']),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});

/**
 * Reads a safetensors file of F32 and I32 arrays; every number of its header is checked against the bytes there are.
 *
 * @param path - for messages
 * @throws {TailmixError} CHECKPOINT_DAMAGED
 */
export function decodeSafetensors(bytes: Buffer, path: string): SafeTensors {
  const damaged = (found: string): Error => damagedTensorFile(path, found);
  if (bytes.length < LENGTH_BYTES) throw damaged(`it has ${bytes.length} bytes`);
  const headerLength = bytes.readBigUInt64LE();
  if (headerLength > BigInt(bytes.length - LENGTH_BYTES)) {
    throw damaged(`its header should have ${headerLength} bytes and the file has ${bytes.length}`);
  }
  if (headerLength > LONGEST_HEADER)
    throw damaged(`its header should have ${headerLength} bytes, and ${LONGEST_HEADER} are the most`);
  const dataStart = LENGTH_BYTES + Number(headerLength);
  const header = parseHeader(bytes.toString('utf8', LENGTH_BYTES, dataStart));
  if (!header) throw damaged('its header is not that of one');
  const described = Object.entries(header.entries).map(([name, entry]) => {
    const parsed = tensorHeader.safeParse(entry);
    if (!parsed.success) throw damaged(`its header does not describe "${name}" as F32 or I32`);
    const {
      dtype,
      shape,
      data_offsets: [from, to],
    } = parsed.data;
    const size = sizeOf(shape);
    if (to - from !== size * 4) throw damaged(`"${name}" has ${to - from} bytes for ${size} numbers`);
    if (dataStart + to > bytes.length) throw damaged(`it ends at byte ${bytes.length}, in or before "${name}"`);
    return { name, dtype, shape, from, to };
  });
  // Without gaps and overlaps: a small file cannot describe more numbers than it has.
  let end = 0;
  for (const { name, from, to } of described.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) throw damaged(`"${name}" begins at byte ${from} of the data, and not at byte ${end}`);
    end = to;
  }
  if (dataStart + end !== bytes.length) throw damaged(`${bytes.length - dataStart - end} bytes follow its data`);
  const tensors = described.map(({ name, dtype, shape, from, to }): [string, SafeTensor] => {
    const copy = new Uint8Array(bytes.subarray(dataStart + from, dataStart + to)).buffer;
    return [name, { shape, values: dtype === 'I32' ? new Int32Array(copy) : new Float32Array(copy) }];
  });
  return { tensors: Object.fromEntries(tensors), metadata: header.metadata };
}

function parseHeader(text: string): { metadata: Record<string, string>; entries: Record<string, unknown> } | null {
  try {
    const parsed = JSON.parse(text) as Record<string, unknown>;
    const { [METADATA]: metadata = {}, ...entries } = parsed;
    return isMap(parsed) && isMap(metadata) && Object.values(metadata).every((value) => typeof value === 'string')
      ? { metadata: metadata as Record<string, string>, entries }
      : null;
  } catch {
    return null;
  }
}

const isMap = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
