import { z } from 'zod';
import { sizeOf } from '../util/shape.ts';
import { bytesOf } from './dtypes.ts';
import { MOST_ARRAYS } from './limits.ts';
import type { Dtype } from './types.ts';

/** Key of the text that a header has in addition to arrays. */
export const METADATA = '__metadata__';
/** Bytes of the header's length, at the beginning of a file. */
export const LENGTH_BYTES = 8;
/** Longest header, in bytes: that of the format's own library. */
const LONGEST_HEADER = 100_000_000;

/** An array as a header describes it. */
export interface DescribedArray<Kind extends Dtype> {
  name: string;
  dtype: Kind;
  shape: readonly number[];
  /** Bytes in the data, which begin after the header. */
  from: number;
  to: number;
}

/** What makes an error of what is wrong with a file. */
type Fail = (found: string) => Error;

/**
 * Length of a file's header, in bytes.
 *
 * @param beginning - of the file, at least as much as there is of its first 8 bytes
 * @param size - of the file, in bytes
 * @param longest - that is read, in bytes
 */
export function headerLength(beginning: Buffer, size: number, fail: Fail, longest = LONGEST_HEADER): number {
  if (size < LENGTH_BYTES) throw fail(`it has ${size} bytes`);
  const length = beginning.readBigUInt64LE();
  if (length > BigInt(size - LENGTH_BYTES)) {
    throw fail(`its header should have ${length} bytes and the file has ${size}`);
  }
  if (length > longest) throw fail(`its header should have ${length} bytes, and ${longest} are the most`);
  return Number(length);
}

const count = z.int().min(0);
const entryOf = z.object({ dtype: z.string(), shape: z.array(count), data_offsets: z.tuple([count, count]) });

/**
 * The arrays of a header, in its order; every number is checked against the bytes that there are. Their data have no gaps and
 * no overlaps: a small file cannot describe more numbers than it has.
 *
 * @param start - first byte of the data in the file
 * @param size - of the file, in bytes
 * @param dtypes - that may be there
 */
export function describeArrays<Kind extends Dtype>(
  header: string,
  { start, size, dtypes, fail }: { start: number; size: number; dtypes: readonly Kind[]; fail: Fail },
): { arrays: DescribedArray<Kind>[]; metadata: Record<string, string> } {
  const parsed = parseHeader(header, fail);
  if (!parsed) throw fail('its header is not that of one');
  const arrays = Object.entries(parsed.entries).map(([name, described]): DescribedArray<Kind> => {
    const entry = entryOf.safeParse(described).data;
    const dtype = dtypes.find((one) => one === entry?.dtype);
    if (!entry || !dtype) {
      throw fail(`its header does not describe "${name}" as ${dtypes.slice(0, -1).join(', ')} or ${dtypes.at(-1)}`);
    }
    const { shape } = entry;
    const [from, to] = entry.data_offsets;
    const numbers = sizeOf(shape);
    if (to - from !== numbers * bytesOf[dtype]) throw fail(`"${name}" has ${to - from} bytes for ${numbers} numbers`);
    if (start + to > size) throw fail(`it ends at byte ${size}, in or before "${name}"`);
    return { name, dtype, shape, from, to };
  });
  let end = 0;
  for (const { name, from, to } of arrays.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) throw fail(`"${name}" begins at byte ${from} of the data, and not at byte ${end}`);
    end = to;
  }
  if (start + end !== size) throw fail(`${size - start - end} bytes follow its data`);
  return { arrays, metadata: parsed.metadata };
}

function parseHeader(
  text: string,
  fail: Fail,
): { metadata: Record<string, string>; entries: Record<string, unknown> } | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isMap(parsed)) return null;
  const count = Object.keys(parsed).length;
  if (count > MOST_ARRAYS) throw fail(`its header describes ${count} arrays, and ${MOST_ARRAYS} are the most`);
  const { [METADATA]: metadata = {}, ...entries } = parsed as Record<string, unknown>;
  return isMap(metadata) && Object.values(metadata).every((value) => typeof value === 'string')
    ? { metadata: metadata as Record<string, string>, entries }
    : null;
}

const isMap = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
