import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { usersOf } from '../../../src/backend/in-use.ts';
import { prepareSource } from '../../../src/data/prepare/prepare-source.ts';
import { messageOfError } from '../../support/message.ts';
import { breakOff, rangeStart, sendRange, serve } from '../../support/server.ts';
import { filesOf, tarGzOf } from '../../support/tar.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { zipOf } from '../../support/zip.ts';
import { describeArchive, smallSet, smallTree, treeOf } from './support.ts';

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

describe('from a file', () => {
  const given = async (changes = {}) => {
    const { source, bytes } = await smallSet('http://127.0.0.1:1/', changes);
    const folder = await temporaryFolder();
    const path = join(folder, 'set.tar.gz');
    writeFileSync(path, bytes);
    return { root: await temporaryFolder(), source, bytes, folder, path };
  };

  test('the archive, whatever its name; the folder that holds it; it stays', async () => {
    for (const take of ['file', 'folder'] as const) {
      const { root, source, folder, path } = await given();
      const from = take === 'file' ? path : folder;
      expect(await prepareSource(source, { root, from })).toMatchObject([{ changed: true, origin: path }]);
      expect(treeOf(root)).toEqual(smallTree);
      expect(existsSync(path)).toBe(true);
    }
  });

  test('a zip file with the archive in it', async () => {
    const { root, source, bytes, folder } = await given();
    const from = join(folder, 'DS_1.zip');
    writeFileSync(from, zipOf({ 'license.txt': 'free', 'DS_1/set.tar.gz': bytes }));
    expect(await prepareSource(source, { root, from })).toMatchObject([{ changed: true, origin: from }]);
    expect(treeOf(root)).toEqual(smallTree);
    expect(readdirSync(root)).toEqual(['set']);
  });

  test('what it is not, is said', async () => {
    const { root, source, bytes, folder, path } = await given();
    const write = (name: string, content: Buffer): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const other = await temporaryFolder();
    const whole = zipOf({ 'set.tar.gz': bytes });
    const cases = {
      missing: join(folder, 'nothing'),
      emptyFolder: other,
      cutOff: write('cut.tar.gz', bytes.subarray(0, 200)),
      changed: write('changed.tar.gz', Buffer.concat([bytes.subarray(0, -1), Buffer.from([1])])),
      empty: write('empty.tar.gz', Buffer.alloc(0)),
      zipWithout: write('without.zip', zipOf({ 'other.txt': 'x' })),
      zipWithOther: write('other.zip', zipOf({ 'set.tar.gz': Buffer.alloc(bytes.length) })),
      zipOfOtherSize: write('size.zip', zipOf({ 'set.tar.gz': 'short' })),
      zipCutOff: write('cut.zip', whole.subarray(0, whole.length - 10)),
    };
    const messages: Record<string, string> = {};
    for (const [name, from] of Object.entries(cases)) {
      const message = await messageOfError(() => prepareSource(source, { root, from }), folder);
      messages[name] = message.replaceAll(other, '…').replace(/\(\d+ bytes, MD5 \w+\)/, '(… bytes, MD5 …)');
    }
    expect(messages).toMatchInlineSnapshot(`
      {
        "changed": "--from …/changed.tar.gz: expected set.tar.gz as it was published (… bytes, MD5 …); got another file, or a part of it. Download it again.",
        "cutOff": "--from …/cut.tar.gz: expected set.tar.gz as it was published (… bytes, MD5 …); got another file, or a part of it. Download it again.",
        "empty": "--from …/empty.tar.gz: expected set.tar.gz as it was published (… bytes, MD5 …); got another file, or a part of it. Download it again.",
        "emptyFolder": "--from …: expected set.tar.gz, or a folder with it; found none. Check the path and the name.",
        "missing": "--from …/nothing: expected set.tar.gz, or a folder with it; found none. Check the path and the name.",
        "zipCutOff": "…/cut.zip: expected a whole archive; got "End of central directory record signature not found. Either not a zip file, or file is truncated.". Download it again.",
        "zipOfOtherSize": "--from …/size.zip: expected set.tar.gz as it was published (… bytes, MD5 …); got another file, or a part of it. Download it again.",
        "zipWithOther": "--from …/other.zip: expected set.tar.gz as it was published (… bytes, MD5 …); got another file, or a part of it. Download it again.",
        "zipWithout": "--from …/without.zip: expected set.tar.gz as it was published (… bytes, MD5 …); got another file, or a part of it. Download it again.",
      }
    `);
    expect(treeOf(root)).toEqual({});
    expect(existsSync(path)).toBe(true);
  });

  test('of a set in several archives, those that are given', async () => {
    const archives = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const bytes = await tarGzOf(filesOf({ [`${name}.json`]: `{"${name}":1}` }));
        const archive = describeArchive(bytes, {
          file: `${name}.tar.gz`,
          from: [`${name}.json`],
          to: `many/${name}.json`,
          holds: {},
          optional: name === 'c',
        });
        return { archive, bytes };
      }),
    );
    const source = { terms: '', archives: archives.map(({ archive }) => archive) };
    const folder = await temporaryFolder();
    for (const { archive, bytes } of archives) writeFileSync(join(folder, archive.file), bytes);
    const root = await temporaryFolder();
    await prepareSource(source, { root, from: join(folder, 'b.tar.gz') });
    expect(Object.keys(treeOf(root))).toEqual(['many/b.json']);
    const without = await prepareSource(source, { root, from: folder, optional: false });
    expect(without.map(({ changed }) => changed)).toEqual([true, false]);
    expect(Object.keys(treeOf(root))).toEqual(['many/a.json', 'many/b.json']);
    await prepareSource(source, { root, from: folder });
    expect(Object.keys(treeOf(root))).toEqual(['many/a.json', 'many/b.json', 'many/c.json']);
  });

  test('an archive whose content lies at its top, or in a folder of any of the known names', async () => {
    for (const prefix of ['', 'SET/']) {
      const bytes = await tarGzOf(filesOf({ [`${prefix}train/a.txt`]: 'a', [`${prefix}train/b.txt`]: 'b' }));
      const archive = describeArchive(bytes, { from: ['', 'SET'], to: 'set', holds: { train: 2 } });
      const root = await temporaryFolder();
      const from = join(await temporaryFolder(), 'x.tar.gz');
      writeFileSync(from, bytes);
      await prepareSource({ terms: '', archives: [archive] }, { root, from });
      expect(Object.keys(treeOf(root))).toEqual(['set/train/a.txt', 'set/train/b.txt']);
      expect(readdirSync(root)).toEqual(['set']);
    }
  });

  test('an archive without what it should hold leaves nothing', async () => {
    const { root, source, path } = await given({ holds: { 'train.bin': 1 } });
    expect(
      await messageOfError(() => prepareSource(source, { root, from: path }), dirname(path)),
    ).toMatchInlineSnapshot(
      `"…/set.tar.gz: expected train.bin with 1 bytes in it; got 50000 bytes. Use the published archive."`,
    );
    expect(treeOf(root)).toEqual({});
    const elsewhere = await given({ from: ['set-2'] });
    expect(
      await messageOfError(
        () => prepareSource(elsewhere.source, { root: elsewhere.root, from: elsewhere.path }),
        elsewhere.folder,
      ),
    ).toMatchInlineSnapshot(`"…/set.tar.gz: expected set-2 in it; got set-1. Use the published archive."`);
  });

  test('too little room, and a root that cannot be written, are told before anything is fetched', async () => {
    const { root, source, path } = await given({ limits: { bytes: 1e18, entries: 1 } });
    const message = await messageOfError(() => prepareSource(source, { root, from: path }), root);
    expect(message.replace(/has \d+ MB/, 'has … MB')).toMatchInlineSnapshot(
      `"…: expected 1000000000000 MB free; it has … MB. Free some, or choose another folder with --data-root or TAILMIX_DATA."`,
    );
    expect(await messageOfError(() => prepareSource(source, { root: path, from: path }), path)).toMatchInlineSnapshot(
      `"…: expected a folder that can be written; the system refused (EEXIST: file already exists, mkdir '…'). A file is where a folder is needed: choose another with --data-root or TAILMIX_DATA."`,
    );
  });

  test('a preparation that is killed leaves nothing that counts, and the next one succeeds', async () => {
    const { root, source, path } = await given();
    const script = fileURLToPath(new URL('./fixtures/killed-preparation.ts', import.meta.url));
    const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
    const child = spawn(process.execPath, [jiti, script, root, path]);
    const [said] = await once(child.stdout, 'data');
    expect(String(said)).toBe('unpacking\n');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(readdirSync(root).sort()).toEqual(['.tailmix', '.tailmix.lock']);
    expect(readdirSync(join(root, '.tailmix')).some((entry) => entry.startsWith('unpacking-'))).toBe(true);
    expect(await prepareSource(source, { root, from: path })).toMatchObject([{ changed: true }]);
    expect(treeOf(root)).toEqual(smallTree);
    expect(readdirSync(root)).toEqual(['set']);
  });
});
