import { z } from 'zod';
import { sizeOf } from '../util/shape.ts';
import { bytesOf } from './dtypes.ts';
import type { OpenFile } from './file.ts';
import type { Dtype, Listing, StoredArray } from './types.ts';

const METADATA = '__metadata__';
const LENGTH_BYTES = 8;
/** What the format's own reader allows. */
const LONGEST_HEADER = 100_000_000;

const dtypes = z.enum(Object.keys(bytesOf) as [Dtype, ...Dtype[]]);
const count = z.int().min(0);
const entryOf = z.object({ dtype: z.string(), shape: z.array(count), data_offsets: z.tuple([count, count]) });
const headerOf = z.looseObject({ [METADATA]: z.record(z.string(), z.string()).optional() });

/**
 * Lists a safetensors file: header length (8 bytes, little-endian), header (JSON), data without gaps or overlaps.
 *
 * @see https://huggingface.co/docs/safetensors/index#format
 * @throws {TailmixError} WEIGHTS_DAMAGED
 */
export async function listSafetensors(file: OpenFile): Promise<Listing> {
  const { path, size, fail } = file;
  if (size < LENGTH_BYTES) throw fail(`it has ${size} bytes`);
  const length = Number((await file.read(0, LENGTH_BYTES)).readBigUInt64LE());
  if (length > Math.min(size - LENGTH_BYTES, LONGEST_HEADER)) {
    throw fail(`its header should have ${length} bytes, and the file has ${size}`);
  }
  const start = LENGTH_BYTES + length;
  const { [METADATA]: metadata = {}, ...entries } = parseHeader(await file.read(LENGTH_BYTES, length), fail);
  const arrays = new Map<string, StoredArray>();
  const spans: [from: number, to: number, name: string][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const parsed = entryOf.safeParse(entry);
    if (!parsed.success) throw fail(`its header does not describe "${name}" by dtype, shape and data_offsets`);
    const [from, to] = parsed.data.data_offsets;
    const dtype = dtypes.safeParse(parsed.data.dtype).data;
    if (!dtype) throw fail(`"${name}" is of dtype ${parsed.data.dtype}, which is none of ${dtypes.options.join(', ')}`);
    const { shape } = parsed.data;
    if (to - from !== sizeOf(shape) * bytesOf[dtype]) {
      throw fail(`"${name}" has ${to - from} bytes for ${sizeOf(shape)} elements of ${dtype}`);
    }
    if (start + to > size) throw fail(`it ends at byte ${size}, in or before "${name}"`);
    arrays.set(name, { shape, dtype, file: path, offset: start + from, strides: null });
    spans.push([from, to, name]);
  }
  let end = 0;
  for (const [from, to, name] of spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (from !== end) throw fail(`"${name}" begins at byte ${from} of the data, where ${end} was due`);
    end = to;
  }
  if (start + end !== size) throw fail(`${size - start - end} bytes follow its data`);
  return { arrays, metadata };
}

function parseHeader(bytes: Buffer, fail: (found: string) => Error): z.infer<typeof headerOf> {
  try {
    return headerOf.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    throw fail('its header is not that of a safetensors file');
  }
}
