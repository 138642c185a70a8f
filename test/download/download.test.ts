import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
// As the commands do, for MLflow; its dispatcher is then that of `fetch` too.
import 'undici';
import { download } from '../../src/download/download.ts';
import { messageOfError } from '../support/message.ts';
import { breakOff, rangeStart, sendRange, serve } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { content, described, digest, impatient } from './remote-file.ts';

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

test.each([2 ** 17, 2 ** 21])(
  'a server that ends connections while the body waits to be written: %i bytes',
  async (length) => {
    // As HTTP/1.0 servers do, and proxies that give up. In a process of its own, so that it does not wait for this one.
    const script = fileURLToPath(new URL('./fixtures/closing-server.mjs', import.meta.url));
    const server = spawn(process.execPath, [script, String(length)], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void server.kill());
    const [port] = await once(server.stdout, 'data');
    const content = Buffer.alloc(length, 'a');
    const hash = { algorithm: 'md5', digest: createHash('md5').update(content).digest('hex') };
    const target = join(await temporaryFolder(), 'x.whl');
    const file = described(`http://127.0.0.1:${Number(String(port))}/`, { size: length, hash });
    await download(file, target, undefined, { ...impatient, silenceMs: 5000 });
    expect(readFileSync(target).equals(content)).toBe(true);
  },
);

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
    `"the download of …x.whl broke off (the server closed the connection); run it again to continue where it stopped"`,
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

test('a server that states another length than was published is not listened to', async () => {
  for (const length of [1000, content.length + 10]) {
    const { base, requests } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': length });
      response.end(Buffer.alloc(length, 'other'));
    });
    const folder = await temporaryFolder();
    const message = await messageOfError(
      () => download(described(base), join(folder, 'x.whl'), undefined, impatient),
      base,
    );
    expect(message).toBe(
      `…x.whl is another file: expected 300000 bytes, and the server offers ${length}; it was not fetched`,
    );
    expect(requests).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  }
});

test.each([
  ['more than was published', Buffer.concat([content, Buffer.alloc(10)])],
  ['other bytes than were published', Buffer.alloc(content.length, 'other')],
])('%s, of a length that is not stated, is discarded', async (_what, sent) => {
  const { base } = await serve((_request, response) => {
    response.writeHead(200);
    response.end(sent);
  });
  const folder = await temporaryFolder();
  const message = await messageOfError(
    () => download(described(base), join(folder, 'x.whl'), undefined, impatient),
    base,
  );
  expect(message).toBe('…x.whl does not have the published checksum and size; it was discarded');
  if (sent.length === content.length) expect(readdirSync(folder)).toEqual([]);
});

test('a page in place of the file, of no stated length, is asked for a few times and no more', async () => {
  const { base, requests } = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<h1>Please log in</h1>');
  });
  const target = join(await temporaryFolder(), 'x.whl');
  expect(
    await messageOfError(() => download(described(base), target, undefined, impatient), base),
  ).toMatchInlineSnapshot(
    `"the download of …x.whl broke off (it ended after 22 of 300000 bytes); run it again to continue where it stopped"`,
  );
  expect(requests.length).toBeLessThan(6);
});

test('a server that promises more than it sends, and no size is known', async () => {
  const { base } = await serve((request, response) => {
    if (rangeStart(request) > 0) return response.writeHead(416).end();
    response.writeHead(200, { 'content-length': content.length + 10 });
    breakOff(response, content);
  });
  const target = join(await temporaryFolder(), 'x.whl');
  await expect(download(described(base, { size: null }), target, undefined, impatient)).rejects.toMatchObject({
    code: 'DOWNLOAD_BROKE',
  });
  expect(existsSync(target)).toBe(false);
});

test('a slow server is waited for as long as it sends', async () => {
  const { base } = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    const piece = content.subarray(0, 100);
    const timer = setInterval(() => {
      response.write(piece);
      if (response.writableLength === 0 && ++sent === 10) {
        clearInterval(timer);
        response.end();
      }
    }, 60);
    let sent = 0;
  });
  const small = Buffer.concat(Array.from({ length: 10 }, () => content.subarray(0, 100)));
  const hash = { algorithm: 'md5', digest: createHash('md5').update(small).digest('hex') };
  const target = join(await temporaryFolder(), 'x.whl');
  await download(described(base, { size: 1000, hash }), target, undefined, { ...impatient, attempts: 1 });
  expect(readFileSync(target).equals(small)).toBe(true);
});

test('redirects are followed, also when a download is continued', async () => {
  const files = await serve((request, response, count) => {
    if (count > 1) return sendRange(request, response, content);
    response.writeHead(200, { 'content-length': content.length });
    breakOff(response, content.subarray(0, 50_000));
  });
  const { base } = await serve((_request, response) =>
    response.writeHead(302, { location: `${files.base}elsewhere` }).end(),
  );
  const target = join(await temporaryFolder(), 'x.whl');
  await download(described(base), target, undefined, impatient);
  expect(rangeStart(files.requests[1]!)).toBeGreaterThan(0);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('a redirect in circles ends', async () => {
  const { base } = await serve((_request, response) => response.writeHead(302, { location: `${base}x.whl` }).end());
  const target = join(await temporaryFolder(), 'x.whl');
  await expect(download(described(base), target, undefined, { ...impatient, silenceMs: 5000 })).rejects.toMatchObject({
    code: 'DOWNLOAD_BROKE',
    message: expect.stringContaining('redirect'),
  });
});

test('a file that changed on the server is fetched anew (If-Range), by a later call too', async () => {
  let tag = '"one"';
  const { base, requests } = await serve((request, response, count) => {
    response.setHeader('etag', tag);
    const asked = request.headers['if-range'];
    if (asked !== undefined && asked !== tag) delete request.headers.range;
    if (tag === '"two"') return sendRange(request, response, content);
    if (count > 1) return response.destroy();
    response.writeHead(200, { 'content-length': content.length });
    breakOff(response, Buffer.alloc(50_000, 'older'));
  });
  const target = join(await temporaryFolder(), 'x.whl');
  await expect(download(described(base), target, undefined, { ...impatient, attempts: 1 })).rejects.toMatchObject({
    code: 'DOWNLOAD_BROKE',
  });
  tag = '"two"';
  await download(described(base), target, undefined, impatient);
  expect(requests.at(-1)!.headers['if-range']).toBe('"one"');
  expect(requests.filter(({ headers }) => headers['if-range'] !== undefined)).toHaveLength(1);
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(readdirSync(join(target, '..'))).toEqual(['x.whl']);
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
