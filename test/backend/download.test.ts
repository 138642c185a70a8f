import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { download } from '../../src/backend/download.ts';
import type { IndexFile } from '../../src/backend/simple-index.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { breakOff, rangeStart, sendRange, serve } from './fixtures/server.ts';

const content = Buffer.alloc(300_000, 'tailmix ');
const digest = createHash('sha256').update(content).digest('hex');
const impatient = { pauseMs: 1, silenceMs: 200, attempts: 3 };

const described = (base: string, changes: Partial<IndexFile> = {}): IndexFile => ({
  filename: 'x.whl',
  url: `${base}x.whl`,
  hash: { algorithm: 'sha256', digest },
  size: content.length,
  ...changes,
});

test('a file arrives whole, with its progress told', async () => {
  const { base } = await serve((request, response) => sendRange(request, response, content));
  const target = join(await temporaryFolder(), 'deep', 'x.whl');
  const told: number[] = [];
  await download(described(base), target, (received, total) => told.push(received / total!));
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(told.at(-1)).toBe(1);
  expect(readdirSync(join(target, '..'))).toEqual(['x.whl']);
});

test('a connection that breaks off is continued where it stopped', async () => {
  const { base, requests } = await serve((request, response, count) => {
    if (count > 2) return sendRange(request, response, content);
    const start = rangeStart(request);
    const headers = start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {};
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': content.length - start, ...headers });
    breakOff(response, content.subarray(start, start + 100_000));
  });
  const target = join(await temporaryFolder(), 'x.whl');
  await download(described(base), target, undefined, impatient);
  const starts = requests.map(rangeStart);
  expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
  expect(starts[0]).toBe(0);
  expect(starts.at(-1)).toBeGreaterThan(100_000);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('a later call continues what an earlier one left', async () => {
  let broken = true;
  const { base, requests } = await serve((request, response) => {
    if (!broken) return sendRange(request, response, content);
    if (rangeStart(request) > 0) return response.destroy();
    response.writeHead(200, { 'content-length': content.length });
    breakOff(response, content.subarray(0, 50_000));
  });
  const folder = await temporaryFolder();
  const target = join(folder, 'x.whl');
  expect(
    await messageOfError(() => download(described(base), target, undefined, impatient), base),
  ).toMatchInlineSnapshot(
    `"the download of …x.whl broke off (other side closed); run it again to continue where it stopped"`,
  );
  expect(existsSync(target)).toBe(false);
  const arrived = statSync(`${target}.${digest.slice(0, 8)}.part`).size;
  expect(arrived).toBeGreaterThan(0);
  broken = false;
  await download(described(base), target, undefined, impatient);
  expect(rangeStart(requests.at(-1)!)).toBe(arrived);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('a server that ignores Range sends all again', async () => {
  const { base, requests } = await serve((_request, response, count) => {
    response.writeHead(200, { 'content-length': content.length });
    if (count === 1) breakOff(response, content.subarray(0, 70_000));
    else response.end(content);
  });
  const target = join(await temporaryFolder(), 'x.whl');
  await download(described(base), target, undefined, impatient);
  expect(requests).toHaveLength(2);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('a server that continues at the wrong place is not believed', async () => {
  const { base } = await serve((request, response, count) => {
    if (count === 2) {
      response.writeHead(206, { 'content-range': `bytes 0-${content.length - 1}/${content.length}` });
      return response.end(content);
    }
    if (count > 2) return sendRange(request, response, content);
    response.writeHead(200, { 'content-length': content.length });
    breakOff(response, content.subarray(0, 70_000));
  });
  const target = join(await temporaryFolder(), 'x.whl');
  await download(described(base), target, undefined, impatient);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test.each([
  ['more than the index says', content.length + 10, Buffer.concat([content, Buffer.alloc(10)])],
  ['other bytes than the index says', content.length, Buffer.alloc(content.length, 'other')],
])('%s is discarded', async (_what, length, sent) => {
  const { base } = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': length });
    response.end(sent);
  });
  const folder = await temporaryFolder();
  const message = await messageOfError(
    () => download(described(base), join(folder, 'x.whl'), undefined, impatient),
    base,
  );
  expect(message).toBe('…x.whl does not have the checksum and size that the index states; it was discarded');
});

test('less than the index says is an error, whatever the server says of its length', async () => {
  const { base } = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.end(content.subarray(0, 1000));
  });
  const target = join(await temporaryFolder(), 'x.whl');
  expect(
    await messageOfError(() => download(described(base), target, undefined, impatient), base),
  ).toMatchInlineSnapshot(
    `"the download of …x.whl broke off (it ended after 1000 of 300000 bytes); run it again to continue where it stopped"`,
  );
});

test('a damaged rest of an earlier download is fetched anew', async () => {
  const { base } = await serve((request, response) => sendRange(request, response, content));
  const target = join(await temporaryFolder(), 'x.whl');
  writeFileSync(`${target}.${digest.slice(0, 8)}.part`, Buffer.alloc(1000, 'rotten'));
  await download(described(base), target, undefined, impatient);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('a file that is there and right is not fetched', async () => {
  const { base, requests } = await serve((request, response) => sendRange(request, response, content));
  const target = join(await temporaryFolder(), 'x.whl');
  writeFileSync(target, content);
  await download(described(base), target);
  expect(requests).toHaveLength(0);
});

test('without a size in the index, the server says it; 416 starts over', async () => {
  const { base, requests } = await serve((request, response) => {
    if (rangeStart(request) > content.length) return response.writeHead(416).end();
    sendRange(request, response, content);
  });
  const target = join(await temporaryFolder(), 'x.whl');
  writeFileSync(`${target}.${digest.slice(0, 8)}.part`, Buffer.alloc(content.length + 5));
  await download(described(base, { size: null }), target, undefined, impatient);
  expect(requests.map(rangeStart)).toEqual([content.length + 5, 0]);
});

test('silence is given up, a refusal is final, credentials become a header', async () => {
  const { base } = await serve(() => {});
  const target = join(await temporaryFolder(), 'x.whl');
  expect(
    await messageOfError(() => download(described(base), target, undefined, impatient), base),
  ).toMatchInlineSnapshot(
    `"the download of …x.whl broke off (nothing arrived for 0.2 s); run it again to continue where it stopped"`,
  );
  const refusing = await serve((_request, response) => response.writeHead(403).end());
  const url = refusing.base.replace('//', '//me:pass%40word@');
  expect(
    await messageOfError(() => download(described(url), target, undefined, impatient), refusing.base),
  ).toMatchInlineSnapshot(`"…x.whl answered 403"`);
  expect(refusing.requests).toHaveLength(1);
  expect(refusing.requests[0]!.headers.authorization).toBe(`Basic ${Buffer.from('me:pass@word').toString('base64')}`);
});
