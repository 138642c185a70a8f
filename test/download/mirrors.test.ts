import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { downloadFromMirrors } from '../../src/download/download.ts';
import { messageOfError } from '../support/message.ts';
import { breakOff, rangeStart, sendRange, serve } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { content, described, impatient } from './remote-file.ts';

describe('mirrors', () => {
  const check = { hash: described('').hash, size: content.length };

  test('are asked in order, until one gives the file; what one began the next goes on with', async () => {
    const missing = await serve((_request, response) => response.writeHead(404).end());
    const busy = await serve((_request, response) => response.writeHead(503).end());
    const wrong = await serve((_request, response) => response.end('another file'));
    const breaking = await serve((_request, response, count) => {
      if (count > 1) return response.destroy();
      response.writeHead(200, { 'content-length': content.length, etag: '"theirs"' });
      breakOff(response, content.subarray(0, 90_000));
    });
    const good = await serve((request, response) => sendRange(request, response, content));
    const spare = await serve((_request, response) => response.end());
    const urls = [missing, busy, wrong, breaking, good, spare].map(({ base }) => `${base}x.whl`);
    const target = join(await temporaryFolder(), 'x.whl');
    const asked: string[] = [];
    const from = await downloadFromMirrors(urls, check, target, {
      patience: impatient,
      onMirror: (url) => void asked.push(url),
    });
    expect(from).toBe(urls[4]);
    expect(asked).toEqual(urls.slice(0, 5));
    expect([missing.requests.length, busy.requests.length, spare.requests.length]).toEqual([1, 3, 0]);
    expect(rangeStart(good.requests[0]!)).toBeGreaterThan(0);
    expect(good.requests[0]!.headers['if-range']).toBeUndefined();
    expect(readFileSync(target).equals(content)).toBe(true);
  });

  test('halves of two different files are told by the checksum, and the file fetched anew', async () => {
    const other = await serve((_request, response, count) => {
      if (count > 1) return response.destroy();
      response.writeHead(200, { 'content-length': content.length });
      breakOff(response, Buffer.alloc(90_000, 'other'));
    });
    const good = await serve((request, response) => sendRange(request, response, content));
    const target = join(await temporaryFolder(), 'x.whl');
    await downloadFromMirrors([`${other.base}x`, `${good.base}x`], check, target, { patience: impatient });
    expect(good.requests.map(rangeStart).map((start) => start > 0)).toEqual([true, false]);
    expect(readFileSync(target).equals(content)).toBe(true);
  });

  test('without a checksum, the next mirror begins at the beginning', async () => {
    const breaking = await serve((_request, response, count) => {
      if (count > 1) return response.destroy();
      response.writeHead(200, { 'content-length': content.length });
      breakOff(response, Buffer.alloc(90_000, 'other'));
    });
    const good = await serve((request, response) => sendRange(request, response, content));
    const target = join(await temporaryFolder(), 'x.whl');
    const urls = [`${breaking.base}x`, `${good.base}x`];
    await downloadFromMirrors(urls, { hash: null, size: null }, target, { patience: impatient });
    expect(readFileSync(target).equals(content)).toBe(true);
  });

  test('a disk that is full ends it at once: no other mirror, no other attempt', async () => {
    const servers = [await serve((request, response) => sendRange(request, response, content)), await serve(() => {})];
    const target = join(await temporaryFolder(), 'x.whl');
    symlinkSync('/dev/full', `${target}.part`);
    const urls = servers.map(({ base }) => `${base}x`);
    const call = () => downloadFromMirrors(urls, { hash: null, size: null }, target, { patience: impatient });
    expect(await messageOfError(call, target)).toBe(
      '…: expected to write the download there; the system refused (ENOSPC: no space left on device, write). The disk is full: free space, or choose another place.',
    );
    expect(servers.map(({ requests }) => requests.length)).toEqual([1, 0]);
  });

  test('none gives it: each says why, without credentials', async () => {
    const refusing = await serve((_request, response) => response.writeHead(403).end());
    const silent = await serve((_request, response) => void response.destroy());
    const secret = silent.base.replace('//', '//me:secret@');
    const target = join(await temporaryFolder(), 'x.whl');
    const message = await messageOfError(
      () => downloadFromMirrors([`${refusing.base}a`, `${secret}b`], check, target, { patience: impatient }),
      refusing.base,
    );
    expect(message.replaceAll(silent.base, '…')).toMatchInlineSnapshot(`
      "x.whl: no mirror gave it.
        …a answered 403
        the download of …b broke off (the server closed the connection); run it again to continue where it stopped"
    `);
  });
});
