import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prepareSource } from '../../../src/data/prepare/prepare-source.ts';
import type { UnpackLimits } from '../../../src/data/prepare/source.ts';
import { unpackTar } from '../../../src/data/prepare/unpack.ts';
import { TailmixError } from '../../../src/errors.ts';
import { messageOfError } from '../../support/message.ts';
import { filesOf, type Member, tarGzOf, tarOf } from '../../support/tar.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { fuzzRuns, tellRefused } from '../../support/verdicts.ts';
import { zipOf } from '../../support/zip.ts';
import { describeArchive, treeOf } from '../prepare/support.ts';
import { mutate, mutations } from './mutations.ts';

const limits: UnpackLimits = { bytes: 100_000, entries: 20 };

/** Unpacks bytes into `<base>/target`, beside which nothing may appear. */
async function unpackIn(base: string, bytes: Uint8Array, within = limits): Promise<unknown> {
  const archive = join(base, 'x.tar.gz');
  const target = join(base, 'target');
  await writeFile(archive, bytes);
  await mkdir(target, { recursive: true });
  return unpackTar(archive, target, within);
}

const good = filesOf({ 'a/1.txt': 'one', 'a/b/2.txt': 'two' });

describe('what could reach outside is refused', () => {
  const cases: Record<string, Member> = {
    'a symbolic link': { name: 'a/link', type: 'symlink', linkname: '/etc' },
    'a symbolic link within': { name: 'a/link', type: 'symlink', linkname: '1.txt' },
    'a hard link': { name: 'a/hard', type: 'link', linkname: '../../outside' },
    'a character device': { name: 'a/null', type: 'character-device', devmajor: 1, devminor: 3 },
    'a block device': { name: 'a/sda', type: 'block-device' },
    'a pipe': { name: 'a/pipe', type: 'fifo' },
    'a name that leads out': { name: '../outside.txt', content: 'x' },
    'a name that leads out later': { name: 'a/../../outside.txt', content: 'x' },
    'a folder that leads out': { name: 'a/../../out/', type: 'directory' },
    'an absolute name': { name: '/tmp/tailmix-outside.txt', content: 'x' },
    'a drive': { name: 'C:/outside.txt', content: 'x' },
    'a backslash': { name: '..\\outside.txt', content: 'x' },
    'a long name (pax) that leads out': { name: `${'x/../'.repeat(40)}../../outside.txt`, content: 'x' },
    'no name': { name: './', type: 'file', content: 'x' },
  };
  test.each(Object.entries(cases))('%s', async (_, member) => {
    const base = await temporaryFolder();
    await expect(unpackIn(base, await tarGzOf([...good, member]))).rejects.toMatchObject({
      code: 'ARCHIVE_UNSAFE',
      message: expect.stringContaining(join(base, 'x.tar.gz')),
    });
    const outside = Object.keys(treeOf(base)).filter((path) => !/^(x\.tar\.gz$|target\/a\/)/.test(path));
    expect(outside).toEqual([]);
    expect(Object.values(treeOf(base))).not.toContain('no plain file');
  });

  test('in the words of the messages', async () => {
    const base = await temporaryFolder();
    const message = async (member: Member): Promise<string> =>
      messageOfError(async () => unpackIn(base, await tarGzOf([member])), base);
    expect(await message({ name: 'a/link', type: 'symlink', linkname: '/etc' })).toMatchInlineSnapshot(
      `"…/x.tar.gz: expected plain files and folders below one folder; got a symbolic link ("a/link"). Nothing was kept: use the published archive."`,
    );
    expect(await message({ name: '../x', content: '' })).toMatchInlineSnapshot(
      `"…/x.tar.gz: expected plain files and folders below one folder; got a name that leads out of the folder ("../x"). Nothing was kept: use the published archive."`,
    );
    expect(await message({ name: 'a', content: Buffer.alloc(200_000) })).toMatchInlineSnapshot(
      `"…/x.tar.gz: expected at most 100000 bytes in it; got more. Nothing was kept: use the published archive."`,
    );
    expect(await messageOfError(() => unpackIn(base, gzipSync(Buffer.alloc(999, 7))), base)).toMatchInlineSnapshot(
      `"…/x.tar.gz: expected a whole archive; got "Invalid tar header. Maybe the tar is corrupted or it needs to be gunzipped?". Download it again."`,
    );
    expect(await messageOfError(() => unpackIn(base, Buffer.from('no archive')), base)).toMatchInlineSnapshot(
      `"…/x.tar.gz: expected a whole archive; got "incorrect header check". Download it again."`,
    );
    expect(await messageOfError(() => unpackIn(base, Buffer.alloc(0)), base)).toMatchInlineSnapshot(
      `"…/x.tar.gz: expected a whole archive; got "unexpected end of file". Download it again."`,
    );
  });

  test.each([
    ['a file twice', filesOf({ 'a/1': 'x' }).concat(filesOf({ 'a/1': 'y' }))],
    ['a file where a folder is', [...good, { name: 'a/b', content: 'x' }]],
    ['a file under a file', [...good, { name: 'a/1.txt/deeper', content: 'x' }]],
    ['a name that is too long for any system', filesOf({ [`a/${'x'.repeat(300)}`]: 'x' })],
  ])('%s is a damaged archive', async (_, members) => {
    const base = await temporaryFolder();
    await expect(unpackIn(base, await tarGzOf(members))).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });
});

describe('an archive that unpacks to more than it should is stopped early', () => {
  const within = async (bytes: Uint8Array): Promise<{ code: string | null; kept: number; memoryMb: number }> => {
    const base = await temporaryFolder();
    const before = process.memoryUsage().rss;
    const code = await unpackIn(base, bytes).then(
      () => null,
      (error: TailmixError): string | null => error.code,
    );
    const kept = Object.keys(treeOf(join(base, 'target'))).length;
    return { code, kept, memoryMb: (process.memoryUsage().rss - before) / 1e6 };
  };
  const zeros = Buffer.alloc(2e8);

  test('one file of 200 MB in one', async () => {
    const bomb = gzipSync(await tarOf([{ name: 'a', content: zeros }]), { level: 1 });
    const { code, kept, memoryMb } = await within(bomb);
    expect({ code, kept }).toEqual({ code: 'ARCHIVE_TOO_LARGE', kept: 0 });
    expect(memoryMb).toBeLessThan(60);
  });

  test('200 MB of zeros behind a good archive', async () => {
    const bomb = Buffer.concat([await tarGzOf(good), gzipSync(zeros, { level: 1 })]);
    expect(await within(bomb)).toMatchObject({ code: 'ARCHIVE_TOO_LARGE' });
  });

  test('a header that says it is 200 MB long', async () => {
    const tar = await tarOf([{ name: 'x', content: zeros }]);
    tar[156] = 'x'.charCodeAt(0); // a pax header
    const sum = [...tar.subarray(0, 512)].reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    const { code, memoryMb } = await within(gzipSync(tar, { level: 1 }));
    expect(code).toMatch(/^ARCHIVE_(DAMAGED|TOO_LARGE)$/);
    expect(memoryMb).toBeLessThan(60);
  });

  test('many small files, many folders', async () => {
    const many = Array.from({ length: 21 }, (_, i) => ({ name: `f${i}`, content: '' }));
    expect(await within(await tarGzOf(many))).toMatchObject({ code: 'ARCHIVE_TOO_LARGE' });
    const folders = Array.from({ length: 21 }, (_, i): Member => ({ name: `d${i}/`, type: 'directory' }));
    expect(await within(await tarGzOf(folders))).toMatchObject({ code: 'ARCHIVE_TOO_LARGE' });
  });
});

describe('damaged bytes', () => {
  test('are an error that names the archive, or the same files; never anything outside', async () => {
    const members = [
      ...filesOf({ 'a/1.txt': 'one'.repeat(700), 'a/b/2.txt': 'two' }),
      { name: 'a/c/', type: 'directory' } as const,
    ];
    const packed = await tarGzOf(members);
    const plain = gunzipSync(packed);
    const tried = fuzzRuns(300);
    let failed = 0;
    await fc.assert(
      fc.asyncProperty(mutations, fc.boolean(), async (changes, inside) => {
        // Inside: the tar file is damaged and then gzipped, so that its own checks have to see it.
        const bytes = inside ? gzipSync(mutate(plain, changes)) : mutate(packed, changes);
        const base = await temporary();
        const error = await unpackIn(base, bytes).then(
          () => null,
          (reason: unknown) => reason,
        );
        if (error !== null) {
          failed++;
          expect(error).toBeInstanceOf(TailmixError);
          expect((error as TailmixError).message).toContain(join(base, 'x.tar.gz'));
        }
        for (const [path, kind] of Object.entries(treeOf(base))) {
          expect(path === 'x.tar.gz' || path.startsWith('target/'), path).toBe(true);
          expect(kind).not.toBe('no plain file');
        }
      }),
      { seed: 7, numRuns: tried },
    );
    tellRefused('tar archives at random', failed, tried);
  });

  test('in a zip file too', async () => {
    const bytes = await tarGzOf(good);
    const source = { terms: '', archives: [describeArchive(bytes, { from: ['a'], to: 'set', holds: {} })] };
    const whole = zipOf({ 'x/../../set.tar.gz': bytes });
    const tried = fuzzRuns(150);
    let failed = 0;
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        const base = await temporary();
        const from = join(base, 'given.zip');
        await writeFile(from, mutate(whole, changes));
        const error = await prepareSource(source, { root: join(base, 'root'), from }).then(
          () => null,
          (reason: unknown) => reason,
        );
        if (error !== null) {
          failed++;
          expect(error).toBeInstanceOf(TailmixError);
          expect((error as TailmixError).message).toContain(from);
        }
        const kept = error === null ? ['given.zip', 'root/set/1.txt', 'root/set/b/2.txt'] : ['given.zip'];
        expect(Object.keys(treeOf(base))).toEqual(kept);
      }),
      { seed: 8, numRuns: tried },
    );
    tellRefused('zip files at random', failed, tried);
  });
});

let folders: string | null = null;
let made = 0;
/** A folder of a run of a property; all of them go with the test. */
async function temporary(): Promise<string> {
  if (made++ === 0 || folders === null) folders = await temporaryFolder();
  const folder = join(folders, String(made));
  await mkdir(folder, { recursive: true });
  return folder;
}
