import { endianness } from 'node:os';
import { sizeOf } from '../util/shape.ts';
import { bytesOf, readers } from './dtypes.ts';
import type { OpenFile } from './file.ts';
import type { StoredArray } from './types.ts';

/** Bytes that are converted at a time. */
const CHUNK = 1 << 22;

/**
 * An array as float32, row-major. Takes its own memory and at most 4 MiB more, or the bytes that its strides span.
 *
 * @param memory - what it is read into where it is large enough. Default: new memory.
 * @throws {TailmixError} WEIGHTS_DAMAGED
 */
export async function readArray(
  file: OpenFile,
  { shape, dtype, offset, strides }: StoredArray,
  memory?: Float32Array,
): Promise<Float32Array> {
  const size = sizeOf(shape);
  const width = bytesOf[dtype];
  const values = memory && memory.length >= size ? memory.subarray(0, size) : new Float32Array(size);
  if (strides !== null) return gather(file, values, { shape, dtype, offset, strides });
  if (dtype === 'F32' && endianness() === 'LE') {
    await file.fill(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    return values;
  }
  const read = readers[dtype];
  for (let done = 0; done < size; done += CHUNK / width) {
    const part = Math.min(CHUNK / width, size - done);
    const bytes = await file.read(offset + done * width, part * width);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; i < part; i++) values[done + i] = read(view, i * width);
  }
  return values;
}

async function gather(
  file: OpenFile,
  values: Float32Array,
  { shape, dtype, offset, strides }: Pick<StoredArray, 'shape' | 'dtype' | 'offset'> & { strides: readonly number[] },
): Promise<Float32Array> {
  if (values.length === 0) return values;
  const width = bytesOf[dtype];
  const span = shape.reduce((last, length, axis) => last + (length - 1) * strides[axis]!, 1);
  const bytes = await file.read(offset, span * width);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const read = readers[dtype];
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] = read(view, at * width);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return values;
}
