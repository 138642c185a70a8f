import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { usersOf } from '../../../src/backend/in-use.ts';
import { prepareSource } from '../../../src/data/prepare/prepare-source.ts';
import { messageOfError } from '../../support/message.ts';
import { breakOff, rangeStart, sendRange, serve } from '../../support/server.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { smallSet, smallTree, treeOf } from './support.ts';

const patience = { pauseMs: 1, silenceMs: 200, attempts: 3 };

/** A server that gives the small set as it should, and how to prepare from it. */
async function wellServed() {
  const root = await temporaryFolder();
  const { bytes } = await smallSet('');
  const server = await serve((request, response) => sendRange(request, response, bytes));
  const { source } = await smallSet(server.base);
  return { root, server, bytes, source };
}

describe('from a server', () => {
  test('the set lies in its place, and nothing else is left', async () => {
    const { root, server, source } = await wellServed();
    const stages: string[] = [];
    const prepared = await prepareSource(source, { root, onStage: (stage) => void stages.push(stage) });
    expect(prepared).toEqual([
      { file: 'set.tar.gz', place: join(root, 'set/set-1'), changed: true, origin: `${server.base}set.tar.gz` },
    ]);
    expect(treeOf(root)).toEqual(smallTree);
    expect(readdirSync(root)).toEqual(['set']);
    expect(stages).toEqual([`fetching ${server.base}set.tar.gz`, 'unpacking set.tar.gz']);
  });

  test('in the cache folder, cache clean leaves it while this process runs', async () => {
    const { root: cache, source } = await wellServed();
    vi.stubEnv('TAILMIX_CACHE', cache);
    onTestFinished(() => void vi.unstubAllEnvs());
    const root = join(cache, 'data');
    await prepareSource(source, { root });
    const [user] = await usersOf(cache);
    expect(user).toMatchObject({ where: 'here', paths: [join(root, '.tailmix'), join(root, 'set/set-1')] });
  });

  test('what is there is left alone, unless it is to be replaced', async () => {
    const { root, server, source } = await wellServed();
    await prepareSource(source, { root });
    expect(await prepareSource(source, { root })).toMatchObject([{ changed: false, origin: null }]);
    expect(server.requests).toHaveLength(1);
    writeFileSync(join(root, 'set/set-1/stray'), '');
    expect(await prepareSource(source, { root, force: true })).toMatchObject([{ changed: true }]);
    expect(treeOf(root)).toEqual(smallTree);
    expect(readdirSync(root)).toEqual(['set']);
  });

  test('in another layout it is there too, unless it is to be replaced', async () => {
    const root = await temporaryFolder();
    const server = await serve((request, response) => sendRange(request, response, bytes));
    const { source, bytes } = await smallSet(server.base);
    const known = { ...source, elsewhere: ['all.bin'] };
    writeFileSync(join(root, 'all.bin'), 'own');
    const file = 'set.tar.gz';
    expect(await prepareSource(known, { root })).toEqual([{ file, place: root, changed: false, origin: null }]);
    expect([server.requests.length, treeOf(root)]).toEqual([0, { 'all.bin': expect.any(String) }]);
    const [replaced] = await prepareSource(known, { root, force: true });
    expect(replaced).toMatchObject({ place: join(root, 'set/set-1'), changed: true });
  });

  test('hidden files beside it do not count', async () => {
    const root = await temporaryFolder();
    const from = join(root, 'set.tar.gz');
    const { source, bytes } = await smallSet('http://127.0.0.1/');
    writeFileSync(from, bytes);
    const whole = { ...source, archives: [{ ...source.archives[0]!, holds: { '': 3 } }] };
    await prepareSource(whole, { root, from });
    writeFileSync(join(root, 'set/set-1/.DS_Store'), '');
    expect(await prepareSource(whole, { root, from })).toMatchObject([{ changed: false }]);
  });

  test('what is there and not whole is neither used nor lost', async () => {
    const { root, server, source } = await wellServed();
    mkdirSync(join(root, 'set/set-1'), { recursive: true });
    writeFileSync(join(root, 'set/set-1/train.bin'), 'half');
    expect(await messageOfError(() => prepareSource(source, { root }), root)).toMatchInlineSnapshot(
      `"…/set/set-1: expected train.bin with 50000 bytes; got 4 bytes. Remove it, or replace it with --force."`,
    );
    expect(server.requests).toHaveLength(0);
    await prepareSource(source, { root, force: true });
    expect(treeOf(root)).toEqual(smallTree);
  });

  test('two at once: one fetches, the other finds it done', async () => {
    const { root, server, source } = await wellServed();
    const both = await Promise.all([prepareSource(source, { root }), prepareSource(source, { root })]);
    expect(
      both
        .flat()
        .map(({ changed }) => changed)
        .sort(),
    ).toEqual([false, true]);
    expect(server.requests).toHaveLength(1);
  });

  test('a broken connection is continued by the next call; mirrors of the user’s are asked first', async () => {
    const root = await temporaryFolder();
    const { bytes } = await smallSet('');
    let broken = true;
    const { base, requests } = await serve((request, response) => {
      if (!broken) return sendRange(request, response, bytes);
      if (rangeStart(request) > 0) return response.destroy();
      response.writeHead(200, { 'content-length': bytes.length });
      breakOff(response, bytes.subarray(0, 100));
    });
    const missing = await serve((_request, response) => response.writeHead(404).end());
    const { source } = await smallSet(`${missing.base}published/`);
    const options = { root, mirrors: [`${base}mirror`], patience };
    const message = await messageOfError(() => prepareSource(source, options), base);
    expect(message.replaceAll(missing.base, '…')).toMatchInlineSnapshot(`
      "set.tar.gz: no mirror gave it.
        the download of …mirror/set.tar.gz broke off (the server closed the connection); run it again to continue where it stopped
        …published/set.tar.gz answered 404
      Run it again to go on, or fetch set.tar.gz in another way and give it with --from."
    `);
    expect(existsSync(join(root, 'set'))).toBe(false);
    broken = false;
    await prepareSource(source, options);
    expect(treeOf(root)).toEqual(smallTree);
    expect(requests.map(({ url }) => url)).toEqual(requests.map(() => '/mirror/set.tar.gz'));
    expect(rangeStart(requests.at(-1)!)).toBe(100);
  });

  test('a wrong file is never unpacked', async () => {
    const root = await temporaryFolder();
    const { bytes } = await smallSet('');
    const { base } = await serve((_request, response) => response.end(Buffer.alloc(bytes.length, 'other')));
    const { source } = await smallSet(base);
    expect(await messageOfError(() => prepareSource(source, { root, patience }), base)).toMatchInlineSnapshot(
      `
      "…set.tar.gz does not have the published checksum and size; it was discarded
      Run it again to go on, or fetch set.tar.gz in another way and give it with --from."
    `,
    );
    expect(treeOf(root)).toEqual({});
  });
});
