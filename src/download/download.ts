import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from '#make-folder';
import { messageOf, systemCure, TailmixError } from '../errors.ts';
import {
  allMirrorsFailed,
  downloadBroke,
  downloadNotWritten,
  downloadRefused,
  isNotWritten,
  wrongChecksum,
  wrongLength,
} from './errors.ts';
import { readOrigin, type Validator, validatorOf, writeOrigin } from './origin.ts';
import { type Answer, authorized, get, isOk, networkReason } from './request.ts';

/** Bytes so far, and in all if known. */
export type OnBytes = (received: number, total: number | null) => void;

/** What a file must be. */
export interface FileCheck {
  /** Published checksum, `md5` or a SHA in hex; `null` if none is published. */
  hash: { algorithm: string; digest: string } | null;
  /** Bytes; `null` if not known. */
  size: number | null;
}

/** A file on a server. */
export interface RemoteFile extends FileCheck {
  /** May hold `user:password@`. */
  url: string;
}

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
 * Fetches a file from the first of its mirrors that gives it. What one mirror gave is continued by the next.
 *
 * @param onMirror - called before each mirror is asked
 * @returns the address that the file came from
 * @throws {TailmixError} DOWNLOAD_FAILED with the reason of each mirror; with one mirror as {@link download}
 */
export async function downloadFromMirrors(
  urls: readonly string[],
  check: FileCheck,
  target: string,
  {
    onBytes,
    patience,
    onMirror = () => {},
  }: { onBytes?: OnBytes; patience?: Patience; onMirror?: (url: string) => void } = {},
): Promise<string> {
  const reasons: string[] = [];
  for (const url of urls) {
    try {
      onMirror(authorized(url).url);
      await download({ ...check, url }, target, onBytes, patience);
      return url;
    } catch (error) {
      if (!(error instanceof TailmixError) || urls.length === 1 || isNotWritten(error)) throw error;
      reasons.push(messageOf(error));
      // Without a checksum, halves of two files could not be told from one.
      if (check.hash === null) await discard(partOf(target, check));
    }
  }
  throw allMirrorsFailed(basename(target), reasons);
}

/**
 * Fetches `file` to `target`. What has arrived is kept in a `.part` file beside it and continued (HTTP Range, and
 * If-Range where the server names a version) by the next attempt or the next call; `target` appears only when size and
 * checksum are right.
 *
 * @throws {TailmixError} DOWNLOAD_BROKE, DOWNLOAD_REFUSED (the server says no), DOWNLOAD_CHECKSUM (another file) or
 *   DOWNLOAD_NOT_WRITTEN
 */
export const download = (
  file: RemoteFile,
  target: string,
  onBytes: OnBytes = () => {},
  patience: Patience = {},
): Promise<void> =>
  fetchTo(target, file, onBytes, patience).catch((error: unknown) => {
    throw isOfDisk(error) ? downloadNotWritten(target, error) : error;
  });

/** Whether the system refuses a file, as the disk is full; a connection may be refused with the same codes. */
const isOfDisk = (error: unknown): boolean =>
  systemCure(error) !== null && (error as NodeJS.ErrnoException).syscall !== 'connect';

async function fetchTo(target: string, file: RemoteFile, onBytes: OnBytes, patience: Patience): Promise<void> {
  const part = partOf(target, file);
  if (file.hash !== null && (await isIntact(file, target))) return;
  await makeFolder(dirname(target));
  const continued = (await sizeOf(part)) > 0;
  await receiveAll(file, part, onBytes, patience);
  if (continued && !(await isIntact(file, part))) {
    await discard(part);
    await receiveAll(file, part, onBytes, patience);
  }
  if (!(await isIntact(file, part))) {
    await discard(part);
    throw wrongChecksum(authorized(file.url).url);
  }
  await rename(part, target);
  await discard(part);
}

/** Whether a file on this machine has the size and the checksum. An empty one never has. */
export async function isIntact({ hash, size }: FileCheck, path: string): Promise<boolean> {
  const found = await sizeOf(path);
  if (found === 0 || found !== (size ?? found)) return false;
  if (hash === null) return true;
  const sum = createHash(hash.algorithm);
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), sum);
  return sum.digest('hex') === hash.digest;
}

const partOf = (target: string, { hash }: FileCheck): string =>
  `${target}${hash === null ? '' : `.${hash.digest.slice(0, 8)}`}.part`;

async function discard(part: string): Promise<void> {
  await rm(part, { force: true });
  await writeOrigin(part, null);
}

/** Repeats requests until the file is complete. An attempt that came further than all before does not count as failed. */
async function receiveAll(
  file: RemoteFile,
  part: string,
  onBytes: OnBytes,
  { attempts = 5, pauseMs = 1000, silenceMs = 60_000 }: Patience,
): Promise<void> {
  let furthest = await sizeOf(part);
  for (let failures = 0; ; ) {
    const start = await sizeOf(part);
    try {
      if (start === 0 || start !== file.size) await receive(file, part, start, onBytes, silenceMs);
      return;
    } catch (error) {
      if (error instanceof TailmixError || isOfDisk(error)) throw error;
      const reached = await sizeOf(part);
      failures = reached > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, reached);
      if (failures >= attempts) throw downloadBroke(authorized(file.url).url, networkReason(error));
      await delay(pauseMs * 2 ** (failures - 1));
    }
  }
}

/** One request that continues `part` from `start`. Throws if it ends before the file does. */
async function receive(
  file: RemoteFile,
  part: string,
  start: number,
  onBytes: OnBytes,
  silenceMs: number,
): Promise<void> {
  const silence = new AbortController();
  const giveUp = (): void => silence.abort(new Error(`nothing arrived for ${silenceMs / 1000} s`));
  let timer = setTimeout(giveUp, silenceMs);
  try {
    const { url } = authorized(file.url);
    const response = await request(file, start, await readOrigin(part, url), silence.signal);
    const from = response.statusCode === 206 ? start : 0;
    const position = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
    if (response.statusCode === 416 || (from > 0 && Number(position?.[1]) !== from)) {
      response.destroy();
      await discard(part);
      throw new Error('the server cannot continue the download');
    }
    const stated = from > 0 ? Number(position?.[2]) : Number(response.headers['content-length'] ?? Number.NaN);
    if (file.size !== null && Number.isFinite(stated) && stated !== file.size) {
      response.destroy();
      throw wrongLength(url, file.size, stated);
    }
    const total = file.size ?? (Number.isFinite(stated) ? stated : null);
    if (from === 0) await writeOrigin(part, { url, validator: validatorOf(response.headers) });
    let received = from;
    await pipeline(
      response,
      async function* count(chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          clearTimeout(timer);
          timer = setTimeout(giveUp, silenceMs);
          received += chunk.length;
          if (total !== null && received > total) throw wrongChecksum(url);
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

async function request(
  file: RemoteFile,
  start: number,
  validator: Validator | null,
  signal: AbortSignal,
): Promise<Answer> {
  const { url, headers } = authorized(file.url);
  const range = start > 0 ? { range: `bytes=${start}-`, ...(validator && { 'if-range': validator }) } : {};
  const response = await get(url, { ...headers, ...range, 'accept-encoding': 'identity' }, signal);
  const status = response.statusCode!;
  if (isOk(response) || status === 416) return response;
  response.destroy();
  if (status >= 500 || status === 429) throw new Error(`the server answered ${status}`);
  throw downloadRefused(url, status);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
