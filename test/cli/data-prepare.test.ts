import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Archive, DataSource } from '../../src/data/prepare/source.ts';
import { sources } from '../../src/data/prepare/sources.ts';
import { randomStream } from '../../src/random.ts';
import { writeTree } from '../support/image-tree.ts';
import { breakOff, rangeStart, sendRange, serve } from '../support/server.ts';
import { filesOf, tarOf } from '../support/tar.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

const published = vi.hoisted(() => ({ changes: null as Partial<Archive> | null }));

/** The published sources; while a test has changes, those of CIFAR-10 with them: its archive is on another server. */
vi.mock('../../src/data/prepare/sources.ts', async (original) => {
  const { sources } = await original<typeof import('../../src/data/prepare/sources.ts')>();
  const changed = (): DataSource => ({
    ...sources.cifar10!,
    archives: sources.cifar10!.archives.map((archive) => ({ ...archive, ...published.changes })),
  });
  return {
    sources: {
      ...sources,
      get cifar10() {
        return changed();
      },
    },
  };
});

afterEach(() => {
  published.changes = null;
});

/** CIFAR-10's archive in its form and size; most pixels are 0, those of the first records noise. */
async function cifarArchive(): Promise<Buffer> {
  const batch = Buffer.alloc(10_000 * 3073);
  for (let row = 0; row < 10_000; row++) batch[row * 3073] = row % 10;
  const random = randomStream('archive');
  for (let i = 1; i < 300 * 3073; i++) if (i % 3073 > 0) batch[i] = Math.floor(256 * random.uniform());
  const names = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch'];
  const files = Object.fromEntries(names.map((name) => [`cifar-10-batches-bin/${name}.bin`, batch]));
  return gzipSync(await tarOf(filesOf({ ...files, 'cifar-10-batches-bin/readme.html': '<p>CIFAR-10' })), { level: 1 });
}

it('CIFAR-10 from a server that breaks off and stalls: told as it goes, continued, checked, unpacked, read', async () => {
  const bytes = await cifarArchive();
  const folder = await temporaryFolder();
  const server = await serve((request, response, count) => {
    if (count > 2) return sendRange(request, response, bytes);
    const start = rangeStart(request);
    const length = { 'content-length': bytes.length - start };
    const range = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(count === 1 ? 200 : 206, count === 1 ? length : { ...length, ...range });
    breakOff(response, bytes.subarray(start, Math.floor((bytes.length * count) / 3)));
  });
  published.changes = {
    urls: [`${server.base}cifar-10-binary.tar.gz`],
    size: bytes.length,
    hash: { algorithm: 'sha256', digest: createHash('sha256').update(bytes).digest('hex') },
  };
  const { code, stdout, stderr } = await tailmix(folder, 'data', 'prepare', 'cifar10', '--data-root', 'data');
  expect(code).toBe(0);
  // Each request goes on after what came before the connection broke, which may be less than was sent.
  const starts = server.requests.map(rangeStart);
  expect(starts).toHaveLength(3);
  expect(starts[0]).toBe(0);
  expect(starts[1]).toBeGreaterThan(0);
  expect(starts[2]).toBeGreaterThan(starts[1]!);
  expect(stdout).toBe(
    'data/cifar10/cifar-10-batches-bin  new\ncifar10: 10 classes, 50,000 training images, 10,000 test images\n',
  );
  const stages = stderr.split('\n').filter((line) => !line.startsWith('  '));
  expect(stages.join('\n').replace(server.base, 'http://…/')).toMatchInlineSnapshot(`
    "CIFAR-10, Krizhevsky 2009; no licence is stated.
    fetching http://…/cifar-10-binary.tar.gz …
    unpacking cifar-10-binary.tar.gz …
    reading the images …
    "
  `);
  expect(stderr).toMatch(/ {2}(\d) of \1 MB\nunpacking/);
  expect(readdirSync(join(folder, 'data'))).toEqual(['cifar10']);

  // Again: nothing is fetched. As JSON.
  const again = await tailmix(folder, 'data', 'prepare', 'cifar10', '--data-root', 'data', '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({
    name: 'cifar10',
    root: join(folder, 'data'),
    archives: [{ file: 'cifar-10-binary.tar.gz', changed: false, origin: null }],
    classes: 10,
    train: 50_000,
    test: 10_000,
    unreadable: [],
  });
  expect(server.requests).toHaveLength(3);

  // A record that is no record: the reader says where.
  await writeFile(join(folder, 'data/cifar10/cifar-10-batches-bin/test_batch.bin'), Buffer.alloc(30_730_000, 99));
  const wrong = await tailmix(folder, 'data', 'prepare', 'cifar10', '--data-root', 'data');
  expect({ code: wrong.code, stdout: wrong.stdout }).toEqual({ code: 1, stdout: '' });
  expect(wrong.stderr).toContain('test_batch.bin: expected labels below 10; got 99 in record 0.');
}, 300_000);

it('a server with another file, one that lies about its length: nothing is left, the exit code is 1', async () => {
  const folder = await temporaryFolder();
  const other = Buffer.alloc(1000, 'other');
  const server = await serve((request, response) => {
    if (request.url!.startsWith('/a/')) return response.end(other);
    response.writeHead(200, { 'content-length': 5000 });
    response.end(other);
  });
  published.changes = {
    urls: [`${server.base}a/x.tar.gz`, `${server.base}b/x.tar.gz`],
    size: 1000,
    hash: { algorithm: 'md5', digest: '0'.repeat(32) },
  };
  const { code, stdout, stderr } = await tailmix(folder, 'data', 'prepare', 'cifar10', '--data-root', 'data');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr.replaceAll(server.base, 'http://…/')).toMatchInlineSnapshot(`
    "CIFAR-10, Krizhevsky 2009; no licence is stated.
    fetching http://…/a/x.tar.gz …
    fetching http://…/b/x.tar.gz …
    cifar-10-binary.tar.gz: no mirror gave it.
      http://…/a/x.tar.gz does not have the published checksum and size; it was discarded
      http://…/b/x.tar.gz is another file: expected 1000 bytes, and the server offers 5000; it was not fetched
    Run it again to go on, or fetch cifar-10-binary.tar.gz in another way and give it with --from.
    "
  `);
  expect(existsSync(join(folder, 'data', 'cifar10'))).toBe(false);
});

describe('from a file', () => {
  it('that is another one, or not there', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'x.tar.gz'), 'something');
    for (const from of ['x.tar.gz', 'nothing']) {
      const { code, stderr } = await tailmix(folder, 'data', 'prepare', 'cifar10', '--data-root', '.', '--from', from);
      expect({ code, stderr: stderr.replaceAll(folder, '…') }).toMatchSnapshot(from);
    }
  });
});

it('CIFAR-10 in class folders is there already; it is packed again only when that is asked for', async () => {
  const folder = await temporaryFolder();
  const cache = await temporaryFolder();
  const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
  const each = (n: number) => Object.fromEntries(classes.map((name) => [name, n]));
  const prepare = async (root: string, ...args: string[]) => {
    vi.stubEnv('TAILMIX_CACHE', cache);
    const { code, stdout, stderr } = await tailmix(folder, 'data', 'prepare', 'cifar10', '--data-root', root, ...args);
    return { code, stdout, stages: stderr.split('\n').filter((line) => line.endsWith('…')) };
  };
  const packing = (at: string) => [
    `packing ${at}/train: 20 images, 61 kB in the cache folder …`,
    `packing ${at}/test: 10 images, 31 kB in the cache folder …`,
  ];
  for (const at of ['top', 'named/cifar10']) {
    await writeTree(join(folder, at), { train: each(2), test: each(1) }, [32, 32]);
    const root = at.split('/')[0]!;
    const stdout = `${root}  was there\ncifar10: 10 classes, 20 training images, 10 test images\n`;
    expect(await prepare(root)).toEqual({ code: 0, stdout, stages: ['reading the images …', ...packing(at)] });
    expect(await prepare(root)).toEqual({ code: 0, stdout, stages: ['reading the images …'] });
    expect((await prepare(root, '--repack')).stages).toEqual(['reading the images …', ...packing(at)]);
  }
  expect(readdirSync(join(folder, 'top'))).toEqual(['test', 'train']);
});

it('a set without archives is read and packed; what is about archives is refused', async () => {
  const folder = await temporaryFolder();
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  await writeTree(join(folder, 'images'), { train: { ant: 3, bee: 2 }, test: { bee: 1 } });
  await writeFile(join(folder, 'images/train/bee/x.png'), 'no image');
  const prepare = async (...args: string[]) => {
    const { code, stdout, stderr } = await tailmix(
      folder,
      'data',
      'prepare',
      'image-folder',
      '--data-root',
      'images',
      ...args,
    );
    return { code, stdout, stderr: stderr.replaceAll(folder, '…') };
  };
  expect(await prepare('--set', 'data.onCorrupt=skip')).toMatchInlineSnapshot(`
    {
      "code": 0,
      "stderr": "reading the images …
    packing images/train: 6 images, 360 B in the cache folder …
      1 of 6 images
      2 of 6 images
      3 of 6 images
      4 of 6 images
      5 of 6 images
      6 of 6 images
    packing images/test: 1 image, 60 B in the cache folder …
      1 of 1 images
    ",
      "stdout": "image-folder: 2 classes, 5 training images, 1 test images
    1 unreadable file was left out:
      images/train/bee/x.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF".
    ",
    }
  `);
  expect(await prepare()).toMatchInlineSnapshot(`
    {
      "code": 1,
      "stderr": "reading the images …
    packing images/train: 6 images, 360 B in the cache folder …
      1 of 6 images
      2 of 6 images
      3 of 6 images
      4 of 6 images
      5 of 6 images
    …/images/train/bee/x.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Replace the file, or set data.onCorrupt to skip.
    ",
      "stdout": "",
    }
  `);
  expect(await prepare('--from', 'x.zip')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "--from: expected a data set that is fetched; "image-folder" comes in no archive that tailmix knows. Leave --from out, or put its images under the data root.
    ",
      "stdout": "",
    }
  `);
});

it('addresses, sizes and checksums are the published ones', () => {
  const facts = Object.fromEntries(
    Object.values(sources).flatMap((source) =>
      source!.archives.map(({ file, urls, size, hash }) => [file, { urls, size, [hash!.algorithm]: hash!.digest }]),
    ),
  );
  expect(facts).toMatchSnapshot();
});
