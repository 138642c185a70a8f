import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { prepareSource } from '../../../src/data/prepare/prepare-source.ts';
import { messageOfError } from '../../support/message.ts';
import { filesOf, tarGzOf } from '../../support/tar.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { zipOf } from '../../support/zip.ts';
import { describeArchive, smallSet, smallTree, treeOf } from './support.ts';

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
