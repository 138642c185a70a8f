import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { TailmixError } from '../errors.ts';
import { downloadBroke, downloadRefused, wrongChecksum } from './errors.ts';
import { authorized, networkReason } from './request.ts';
import type { IndexFile } from './simple-index.ts';

/** Bytes so far, and in all if known. */
export type OnBytes = (received: number, total: number | null) => void;

/** How patient {@link download} is. */
export interface Patience {
  /** Attempts in a row that may fail without receiving a byte (default 5). */
  attempts?: number;
  /** Pause after the first failed attempt, doubled after each further one, in ms (default 1000). */
  pauseMs?: number;
  /** A connection that is silent for this long is given up, in ms (default 60000). */
  silenceMs?: number;
}

/**
 * Fetches `file` to `target`. What has arrived is kept in a `.part` file beside it and continued (HTTP Range) by the
 * next attempt or the next call; `target` appears only when size and checksum are right.
 *
 * @throws TailmixError `DOWNLOAD_BROKE`, `DOWNLOAD_REFUSED` (the server says no) or `DOWNLOAD_CHECKSUM`
 */
export async function download(
  file: IndexFile,
  target: string,
  onBytes: OnBytes = () => {},
  patience: Patience = {},
): Promise<void> {
  const part = `${target}${file.hash === null ? '' : `.${file.hash.digest.slice(0, 8)}`}.part`;
  if (file.hash !== null && (await isIntact(file, target))) return;
  await mkdir(dirname(target), { recursive: true });
  const continued = (await sizeOf(part)) > 0;
  await receiveAll(file, part, onBytes, patience);
  if (continued && !(await isIntact(file, part))) {
    await rm(part, { force: true });
    await receiveAll(file, part, onBytes, patience);
  }
  if (!(await isIntact(file, part))) {
    await rm(part, { force: true });
    throw wrongChecksum(file.url);
  }
  await rename(part, target);
}

/** Repeats requests until the file is complete. An attempt that received something does not count as failed. */
async function receiveAll(
  file: IndexFile,
  part: string,
  onBytes: OnBytes,
  { attempts = 5, pauseMs = 1000, silenceMs = 60_000 }: Patience,
): Promise<void> {
  for (let failures = 0; ; ) {
    const start = await sizeOf(part);
    try {
      if (start === 0 || start !== file.size) await receive(file, part, start, onBytes, silenceMs);
      return;
    } catch (error) {
      if (error instanceof TailmixError) throw error;
      failures = (await sizeOf(part)) > start ? 1 : failures + 1;
      if (failures >= attempts) throw downloadBroke(file.url, networkReason(error));
      await delay(pauseMs * 2 ** (failures - 1));
    }
  }
}

/** One request that continues `part` from `start`. Throws if it ends before the file does. */
async function receive(
  file: IndexFile,
  part: string,
  start: number,
  onBytes: OnBytes,
  silenceMs: number,
): Promise<void> {
  const silence = new AbortController();
  const giveUp = (): void => silence.abort(new Error(`nothing arrived for ${silenceMs / 1000} s`));
  let timer = setTimeout(giveUp, silenceMs);
  try {
    const response = await request(file, start, silence.signal);
    const from = response.status === 206 ? start : 0;
    const position = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    if (response.status === 416 || (from > 0 && Number(position?.[1]) !== from)) {
      await rm(part, { force: true });
      throw new Error('the server cannot continue the download');
    }
    const stated = from > 0 ? Number(position?.[2]) : Number(response.headers.get('content-length') ?? Number.NaN);
    const total = file.size ?? (Number.isFinite(stated) ? stated : null);
    let received = from;
    await pipeline(
      Readable.fromWeb(response.body!),
      async function* count(chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          clearTimeout(timer);
          timer = setTimeout(giveUp, silenceMs);
          received += chunk.length;
          if (total !== null && received > total) throw wrongChecksum(file.url);
          onBytes(received, total);
          yield chunk;
        }
      },
      createWriteStream(part, { flags: from > 0 ? 'r+' : 'w', start: from }),
    );
    if (total !== null && received < total) throw new Error(`it ended after ${received} of ${total} bytes`);
  } catch (error) {
    throw silence.signal.aborted ? silence.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

async function request(file: IndexFile, start: number, signal: AbortSignal): Promise<Response> {
  const { url, headers } = authorized(file.url);
  const range = start > 0 ? { range: `bytes=${start}-` } : {};
  const response = await fetch(url, { headers: { ...headers, ...range, 'accept-encoding': 'identity' }, signal });
  if (response.ok || response.status === 416) return response;
  if (response.status >= 500 || response.status === 429) throw new Error(`the server answered ${response.status}`);
  throw downloadRefused(url, response.status);
}

async function isIntact({ hash, size }: IndexFile, path: string): Promise<boolean> {
  const found = await sizeOf(path);
  if (found === 0 || found !== (size ?? found)) return false;
  if (hash === null) return true;
  const sum = createHash(hash.algorithm);
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), sum);
  return sum.digest('hex') === hash.digest;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
