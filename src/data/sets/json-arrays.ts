import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { messageOf } from '../../errors.ts';
import { badFile, readFailed } from '../errors.ts';

/** Called with each element of an array, parsed. */
type OnElement = (element: Readonly<Record<string, unknown>>) => void;

/** A longer element, or key, is none of an annotation file. */
const LONGEST_ELEMENT = 2 ** 24;
const CHUNK = 2 ** 20;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [0x5b, 0x5d, 0x7b, 0x7d];
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * Reads a JSON file whose root is a map of arrays piece by piece: each element of the arrays named in `handlers` is
 * parsed and handed over, all else is passed over. Holds one piece and one element at a time, however large the file.
 *
 * @throws {TailmixError} DATA_READ; DATA_FILE with the byte at which it is no JSON, ends early, or lacks an array
 */
export async function readArrays(
  path: string,
  handlers: Readonly<Record<string, OnElement>>,
  chunkBytes = CHUNK,
): Promise<void> {
  const scanner = createScanner(path, handlers);
  const stream = createReadStream(path, { highWaterMark: chunkBytes });
  try {
    for await (const chunk of stream) scanner.push(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw readFailed(path, messageOf(error), error);
  }
  scanner.end();
}

function createScanner(path: string, handlers: Readonly<Record<string, OnElement>>) {
  const missing = new Set(Object.keys(handlers));
  /** Nesting: 0 around the root, 1 in it, 2 in one of its arrays. */
  let depth = 0;
  let inString = false;
  let escaped = false;
  let rootSeen = false;
  /** Text of the last key of the root, and what is done with the array that is being read. */
  let key = '';
  let handle: OnElement | null = null;
  /** Where what is being collected (a key or an element) starts in the chunk; -1 for nothing. */
  let start = -1;
  let carried: Buffer[] = [];
  let carriedBytes = 0;
  /** Bytes before the chunk. */
  let before = 0;

  const fail = (at: number, got: string): never => {
    throw badFile(path, 'JSON: a map with arrays of maps', `${got} at byte ${before + at}`);
  };

  function take(chunk: Buffer, end: number): string {
    const own = chunk.subarray(start, end);
    const whole = carried.length > 0 ? Buffer.concat([...carried, own]) : own;
    start = -1;
    carried = [];
    carriedBytes = 0;
    if (!isUtf8(whole)) fail(end, 'bytes that are not UTF-8');
    return whole.toString('utf8');
  }

  function parse(text: string, at: number): unknown {
    try {
      return JSON.parse(text);
    } catch {
      return fail(at, text.slice(0, 40));
    }
  }

  function parseElement(text: string, at: number): Readonly<Record<string, unknown>> {
    const element = parse(text, at);
    if (typeof element === 'object' && element !== null) return element as Record<string, unknown>;
    return fail(at, text.slice(0, 40));
  }

  function push(chunk: Buffer): void {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) {
          inString = false;
          if (depth === 1 && start >= 0) key = String(parse(take(chunk, i + 1), i));
        }
        continue;
      }
      if (isSpace(byte)) continue;
      if (depth === 0) {
        if (rootSeen || byte !== OPEN_MAP) fail(i, 'something else');
        rootSeen = true;
        depth = 1;
        continue;
      }
      const inArray = depth === 2 && handle !== null;
      if (inArray && (byte === COMMA || byte === CLOSE_LIST)) {
        if (start >= 0) handle!(parseElement(take(chunk, i), i));
        else if (byte === COMMA) fail(i, 'a comma too many');
      } else if (start < 0 && (inArray || (depth === 1 && byte === QUOTE))) start = i;
      if (byte === QUOTE) inString = true;
      else if (byte === OPEN_MAP || byte === OPEN_LIST) {
        depth++;
        if (depth === 2) {
          handle = byte === OPEN_LIST && Object.hasOwn(handlers, key) ? handlers[key]! : null;
          if (handle !== null) missing.delete(key);
        }
      } else if (byte === CLOSE_MAP || byte === CLOSE_LIST) {
        depth--;
        if (depth === 1) handle = null;
      } else if (depth === 1 && byte !== COMMA && byte !== COLON) key = '';
    }
    before += chunk.length;
    if (start < 0) return;
    carried.push(chunk.subarray(start));
    carriedBytes += chunk.length - start;
    if (carriedBytes > LONGEST_ELEMENT) fail(0, `an element of more than ${LONGEST_ELEMENT} bytes`);
    start = 0;
  }

  return {
    push,
    end(): void {
      if (!rootSeen || depth !== 0) fail(0, 'its end');
      if (missing.size > 0)
        throw badFile(path, `the arrays ${Object.keys(handlers).join(', ')}`, `no ${[...missing].join(', ')}`);
    },
  };
}
