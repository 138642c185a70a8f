import { execFileSync } from 'node:child_process';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadData } from '../../../src/data/load-data.ts';
import { dataOptions } from '../../../src/data/options.ts';
import { decodeFiles, decodeInput } from '../../../src/data/packed/decode.ts';
import { TailmixError } from '../../../src/errors.ts';
import { writePicture } from '../../support/image-tree.ts';
import { messageOfError } from '../../support/message.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { fuzzRuns, tellRefused } from '../../support/verdicts.ts';
import { forms, pixels, pngOf, SIDE, tiffOf } from './images.ts';
import { mutate, mutations } from './mutations.ts';

/** Decodes a file as a data set's images are: of one size, or scaled to it. */
async function decode(path: string, resize = false): Promise<Uint8Array> {
  const scaled = resize ? ({ interpolation: 'bilinear' } as const) : null;
  const options = { shape: [SIDE, SIDE, 3], resize: scaled, exif: 'honour', onCorrupt: 'error' } as const;
  for await (const { image } of decodeFiles({ folder: '', base: '', files: [{ path, label: 0 }] }, options, () => {})) {
    return image!;
  }
  throw new Error('expected an image');
}

describe('every form of a picture is 8-bit RGB', () => {
  test.each(Object.entries(forms))('%s', async (_, bytes) => {
    const path = join(await temporaryFolder(), 'x.png'); // a name decides nothing
    await writeFile(path, bytes);
    const image = await decode(path);
    expect(image).toHaveLength(SIDE * SIDE * 3);
    expect(await decode(path, true)).toEqual(image);
  });

  test('without loss where the form has none; of an animation, the first picture', async () => {
    const path = join(await temporaryFolder(), 'x.png');
    const lossless = [
      'png',
      'interlaced png',
      '16-bit png',
      'transparent png',
      'lossless webp',
      'animated webp',
      'tiff',
    ];
    for (const form of [...lossless, 'lzw tiff']) {
      await writeFile(path, forms[form]!);
      expect(new Uint8Array(await decode(path)), form).toEqual(pixels);
    }
  });
});

describe('what is no such picture is an error that names the file, and is left out with onCorrupt: skip', () => {
  const grey = (n: number): Buffer => Buffer.alloc(n, 7);
  const cases: Record<string, () => Buffer | Promise<Buffer>> = {
    'no bytes': () => Buffer.alloc(0),
    'one byte': () => Buffer.from([0xff]),
    'a signature alone': () => forms.png!.subarray(0, 8),
    text: () => Buffer.from('hello'),
    zeros: () => grey(5000).fill(0),
    'an SVG, under the name of a PNG': () =>
      Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}"/>`),
    'an SVG that never ends': () => Buffer.from(laughs),
    'a PNG that says 2147483647 x 2147483647': () => pngOf({ width: 0x7fffffff, height: 0x7fffffff }, grey(100)),
    'a PNG of no width': () => pngOf({ width: 0, height: SIDE }, grey(100)),
    'a PNG with rows missing': () => pngOf({ width: SIDE, height: SIDE }, grey(100)),
    'a PNG whose header has another checksum': () =>
      Buffer.from(forms.png!.map((byte, i) => (i === 29 ? byte ^ 255 : byte))),
    'a bomb: 900 million pixels in 120 kB': () =>
      pngOf({ width: 30_000, height: 30_000, depth: 1 }, Buffer.alloc(30_000 * 3751)),
    'a TIFF of no channels': () => tiffOf({ width: SIDE, height: SIDE, channels: 0 }, grey(10)),
    'a TIFF that is short': () => tiffOf({ width: SIDE, height: SIDE, channels: 3 }, grey(10)),
    'a TIFF of 40,000 x 40,000': () => tiffOf({ width: 40_000, height: 40_000, channels: 3 }, grey(10)),
    'a WebP cut off': () => forms.webp!.subarray(0, 60),
    'an AVIF cut off': () => forms.avif!.subarray(0, -20),
  };
  test.each(Object.entries(cases))('%s', async (name, make) => {
    const folder = await temporaryFolder();
    const path = join(folder, 'x.png');
    const bytes = await make();
    await writeFile(path, bytes);
    const before = process.memoryUsage().rss;
    const messages = [
      await messageOfError(() => decode(path), folder),
      await messageOfError(() => decode(path, true), folder),
      await messageOfError(() => decodeInput(path, [SIDE, SIDE, 3]), folder),
    ];
    expect(process.memoryUsage().rss - before, 'memory').toBeLessThan(100e6);
    for (const message of messages) expect(message).toMatch(/^…\/x\.png: expected .+; got .+\. /);
    expect(messages[0]).toMatchSnapshot(name);
    const rows = decodeFiles(
      { folder, base: folder, files: [{ path, label: 0 }] },
      { shape: [SIDE, SIDE, 3], resize: null, exif: 'honour', onCorrupt: 'skip' },
      () => {},
    );
    for await (const row of rows) expect(row).toMatchObject({ path, image: null });
  });

  test('numbers of channels and depths that RGB has not are converted or refused, never misread', async () => {
    const folder = await temporaryFolder();
    const outcomes: Record<string, string> = {};
    for (const channels of [1, 2, 3, 4, 5, 9]) {
      for (const [bits, format] of [
        [8, 1],
        [16, 1],
        [16, 2],
        [32, 3],
        [64, 3],
      ] as const) {
        const path = join(folder, `${channels}-${bits}-${format}.tif`);
        const data = Buffer.alloc((SIDE * SIDE * channels * bits) / 8, 3);
        await writeFile(path, tiffOf({ width: SIDE, height: SIDE, channels, bits, format }, data));
        outcomes[`${channels} channels of ${bits} bits${format === 3 ? ', float' : format === 2 ? ', signed' : ''}`] =
          await decode(path).then(
            (image) => {
              expect(image).toHaveLength(SIDE * SIDE * 3);
              return 'RGB';
            },
            (error: unknown) => {
              expect(error).toBeInstanceOf(TailmixError);
              return (error as TailmixError).message.replace(path, '…');
            },
          );
      }
    }
    expect(outcomes).toMatchSnapshot();
  });
});

describe('what lies among images', () => {
  const load = async (add: (folder: string) => unknown, onCorrupt: 'error' | 'skip' = 'error') => {
    const root = await temporaryFolder();
    const folder = join(root, 'train', 'a');
    await writePicture(join(folder, '1.png'), 1);
    await writePicture(join(root, 'test', 'a', '1.png'), 2);
    await add(folder);
    const load = () =>
      loadData(dataOptions.parse({ name: 'image-folder', root, onCorrupt }), { cache: join(root, 'c') });
    return { root, folder, load };
  };
  const cases: Record<string, (folder: string) => unknown> = {
    'a pipe, which would wait': (folder) => execFileSync('mkfifo', [join(folder, 'x.png')]),
    'a device, which would never end': (folder) => symlink('/dev/zero', join(folder, 'x.png')),
    'a link to nothing': (folder) => symlink('gone.png', join(folder, 'x.png')),
    'a link to itself': (folder) => symlink('x.png', join(folder, 'x.png')),
    'a link to a file that is no image': (folder) => symlink('/etc/passwd', join(folder, 'x.png')),
    'a file of 3 GB': async (folder) => {
      await writeFile(join(folder, 'x.png'), '\x89PNG\r\n\x1a\n', 'latin1');
      await truncate(join(folder, 'x.png'), 3e9); // a hole: it takes no room
    },
  };
  test.each(Object.entries(cases))('%s', async (_, add) => {
    const { folder, load: read } = await load(add);
    expect(await messageOfError(read, folder)).toMatchSnapshot();
    const skipping = await load(add, 'skip');
    const { train, skipped } = await skipping.load();
    expect([train.indices.length, skipped]).toEqual([1, [join(skipping.folder, 'x.png')]]);
  });

  test('a folder of the name of an image holds images', async () => {
    const { load: read } = await load((folder) => writePicture(join(folder, 'x.png', '2.png'), 3));
    expect((await read()).train.indices).toHaveLength(2);
  });

  test('folders that lead back into themselves', async () => {
    for (const target of ['.', '..', '../..', '../../../train/a']) {
      const { root, load: read } = await load(async (folder) => {
        await mkdir(join(folder, 'deep'));
        await symlink(target, join(folder, 'deep', 'again'));
      });
      // The target of the link, seen from `deep`.
      expect(await messageOfError(read, root), target).toMatch(
        /^…\/train\/a\/deep\/again.*: expected folders that end; this is a link to ….*, in which it lies\. Remove it\.$/,
      );
    }
  });
});

test('damaged pictures give an error that names the file, or pixels of the right number', async () => {
  const path = join(await temporaryFolder(), 'x.png');
  const names = Object.keys(forms).filter((name) => name !== 'avif');
  const ways = fc.constantFrom('as it is', 'scaled', 'predict');
  const tried = fuzzRuns(1500);
  let failed = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), mutations, ways, async (name, changes, way) => {
      await writeFile(path, mutate(forms[name]!, changes));
      try {
        const shape = [SIDE, SIDE, 3] as const;
        const pixels = way === 'predict' ? await decodeInput(path, shape) : await decode(path, way === 'scaled');
        expect(pixels).toHaveLength(SIDE * SIDE * 3);
      } catch (error) {
        failed++;
        expect(error).toBeInstanceOf(TailmixError);
        expect((error as TailmixError).message).toContain(path);
      }
    }),
    { seed: 9, numRuns: tried },
  );
  tellRefused('pictures at random', failed, tried);
}, 600_000);

/** An SVG of 10^9 references, each to ten others. */
const laughs = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a0 "x">${Array.from(
  { length: 9 },
  (_, i) => `<!ENTITY a${i + 1} "${`&a${i};`.repeat(10)}">`,
).join('')}]><svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}"><text>&a9;</text></svg>`;
