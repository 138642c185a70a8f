import { readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import type { LoadedData, Split } from '../../src/data/types.ts';
import { covered, picture, writePicture, writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const tree = { train: { bee: 2, ant: 3, Wasp: 1 }, test: { ant: 1, bee: 1, Wasp: 1 } };

/** A root with images, a cache folder of its own, and how to load the one through the other. */
async function setUp(counts: Parameters<typeof writeTree>[1] = tree) {
  const root = await temporaryFolder();
  const cache = await temporaryFolder();
  const written = await writeTree(root, counts);
  const options = (input: Partial<DataInput> = {}) => dataOptions.parse({ name: 'image-folder', root, ...input });
  const load = (input: Partial<DataInput> = {}): Promise<LoadedData> => loadData(options(input), { cache });
  return { root, cache, written, options, load };
}

function imageAt({ pixels }: Split, row: number, bytes: number): Uint8Array {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  return new Uint8Array(pixels.bytes).slice(row * bytes, (row + 1) * bytes);
}

describe('image-folder', () => {
  test('classes by folder name (capitals first, as Python sorts), files by name, pixels as written', async () => {
    const { root, written, load, options } = await setUp();
    const { train, test, info, skipped } = await load();
    expect(info).toMatchObject({ classes: ['Wasp', 'ant', 'bee'], shape: [4, 5, 3] });
    expect([...train.split.labels]).toEqual([0, 1, 1, 1, 2, 2]);
    expect([...test.split.labels]).toEqual([0, 1, 2]);
    expect([...train.classCounts]).toEqual([1, 3, 2]);
    expect(skipped).toEqual([]);
    const paths = ['Wasp/0.png', 'ant/0.png', 'ant/1.png', 'ant/2.png', 'bee/0.png', 'bee/1.png'];
    for (const [row, path] of paths.entries()) {
      expect(imageAt(train.split, row, 60)).toEqual(written.get(join(root, 'train', path)));
    }
    expect(await describeData(options())).toMatchObject({
      classCounts: [1, 3, 2],
      profile: 'none',
      info: { fullCounts: [1, 3, 2], testCount: 3, classes: info.classes, shape: info.shape },
    });
  });

  test('of several that come at once, one packs, and the others wait for it', async () => {
    const { options, cache } = await setUp();
    let decoded = 0;
    const onProgress = ({ done, total }: { done: number; total: number }): void => {
      if (done === total) decoded += total;
    };
    await Promise.all([0, 1, 2].map(() => loadData(options(), { cache, onProgress })));
    expect(decoded).toBe(9);
    expect(await readdir(cache)).toEqual([
      expect.stringMatching(/^test-.*\.pack$/),
      expect.stringMatching(/^train-.*\.pack$/),
    ]);
  });

  test('files of a class sort as text, images in sub-folders come after, other files are left alone', async () => {
    const { root, load } = await setUp({ train: { a: 0 }, test: { a: 1 } });
    const names = ['10.png', '9.png', 'b.jpg', 'B.PNG', 'sub/1.png', 'sub/deep/1.png', 'sub2/0.webp'];
    for (const [i, name] of names.entries()) await writePicture(join(root, 'train', 'a', name), i);
    await writeFile(join(root, 'train', 'a', 'notes.txt'), 'not an image');
    await writeFile(join(root, 'train', 'README'), 'not a class');
    const { train } = await load();
    const order = [0, 1, 3, null, 4, 5]; // 10.png, 9.png, B.PNG, b.jpg (lossy), sub/1.png, sub/deep/1.png
    expect(train.split.labels).toHaveLength(7);
    for (const [row, seed] of order.entries()) {
      if (seed !== null) expect(imageAt(train.split, row, 60)).toEqual(picture(seed, 4, 5));
    }
  });

  test('grey, 16-bit, palette, transparent, CMYK and JPEG files become RGB', async () => {
    const { root, load } = await setUp({ train: { a: 0 }, test: { a: 1 } });
    const pixels = picture(1, 8, 8);
    const image = () => sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } });
    const at = (name: string): string => join(root, 'train', 'a', name);
    await writePicture(at('0.png'), 1, 8, 8);
    await image().toColourspace('rgb16').png().toFile(at('1-16.png'));
    await image().ensureAlpha(0.5).png().toFile(at('2-alpha.png'));
    await image().greyscale().png().toFile(at('3-grey.png'));
    await image().toColourspace('cmyk').jpeg().toFile(at('4-cmyk.jpg'));
    await image().jpeg().toFile(at('5.jpg'));
    await image().png({ palette: true, colours: 64 }).toFile(at('6-palette.png'));
    await rm(join(root, 'test', 'a', '0.png'));
    await writePicture(join(root, 'test', 'a', '0.png'), 0, 8, 8);
    const { train } = await load();
    expect(train.split.labels).toHaveLength(7);
    for (const row of [0, 1, 2, 6]) expect(imageAt(train.split, row, 192)).toEqual(pixels);
    const grey = imageAt(train.split, 3, 192);
    for (let i = 0; i < 192; i += 3) expect(new Set(grey.subarray(i, i + 3)).size).toBe(1);
    const decoded = await sharp(at('5.jpg')).raw().toBuffer();
    expect(imageAt(train.split, 5, 192)).toEqual(new Uint8Array(decoded));
  });

  test('imageSize scales and cuts out the centre; without it the sizes decide', async () => {
    const { root, load } = await setUp();
    await writePicture(join(root, 'train', 'bee', '2.png'), 9, 20, 30);
    expect((await load()).info.shape).toEqual([32, 32, 3]);
    const square = await load({ imageSize: 8 });
    expect(square.info.shape).toEqual([8, 8, 3]);
    expect(square.train.split.labels).toHaveLength(7);
    const expected = await covered(join(root, 'train', 'bee', '2.png'), [8, 8]);
    expect(imageAt(square.train.split, 6, 192)).toEqual(expected);
    expect((await load({ imageSize: [6, 4] })).info.shape).toEqual([6, 4, 3]);
  });

  test('a class may lack test images; symbolic links count', async () => {
    const { root, load } = await setUp({ train: { a: 1, b: 1 }, test: { b: 2 } });
    await symlink(join(root, 'train', 'a', '0.png'), join(root, 'train', 'a', 'link.png'));
    const { train, test } = await load();
    expect([...train.classCounts]).toEqual([2, 1]);
    expect([...test.classCounts]).toEqual([0, 2]);
  });

  test('a profile on unequal classes is exact', async () => {
    const { load } = await setUp({ train: { a: 9, b: 4, c: 6 }, test: { a: 1 } });
    expect([...(await load({ profile: 'exp', ratio: 4 })).train.classCounts]).toEqual([9, 4, 2]);
  });
});

describe('a broken image', () => {
  test('ends the run, or is left out and named', async () => {
    const { root, load } = await setUp({ train: { a: 3, b: 2 }, test: { a: 1 } });
    const path = join(root, 'train', 'a', '1.png');
    await writeFile(path, (await readFile(path)).subarray(0, 60));
    expect(await messageOfError(() => load(), root)).toMatchInlineSnapshot(
      `"…/train/a/1.png: expected a readable image; got "Input buffer has corrupt header". Replace the file, or set data.onCorrupt to skip."`,
    );
    const { train, skipped } = await load({ onCorrupt: 'skip' });
    expect(skipped).toEqual([path]);
    expect([...train.classCounts]).toEqual([2, 2]);
    expect((await load({ onCorrupt: 'skip' })).skipped).toEqual([path]);
  });

  test.each([
    ['of no bytes', (whole: Buffer) => whole.subarray(0, 0)],
    ['that is text', () => Buffer.from('hello')],
    ['cut off near its end', (whole: Buffer) => whole.subarray(0, whole.length - 30)],
    ['cut off in the middle', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
  ])('a JPEG %s', async (_, spoil) => {
    const { root, load } = await setUp({ train: { a: 1 }, test: { a: 1 } });
    const path = join(root, 'train', 'a', 'x.jpg');
    await writePicture(path, 3);
    await writeFile(path, spoil(await readFile(path)));
    await expect(load()).rejects.toMatchObject({ code: 'DATA_IMAGE', message: expect.stringContaining(path) });
    expect((await load({ onCorrupt: 'skip' })).skipped).toEqual([path]);
  });

  test('all of them', async () => {
    const { root, load } = await setUp({ train: { a: 1 }, test: { a: 1 } });
    await writeFile(join(root, 'test', 'a', '0.png'), 'no');
    expect(await messageOfError(() => load({ onCorrupt: 'skip' }), root)).toMatchInlineSnapshot(
      `"…/test: expected readable images; all 1 were skipped. Check the files."`,
    );
  });

  test('the first one, which gives the size', async () => {
    const { root, load } = await setUp({ train: { a: 2 }, test: { a: 1 } });
    const path = join(root, 'train', 'a', '0.png');
    await writeFile(path, 'no');
    expect(await messageOfError(() => load(), root)).toMatchInlineSnapshot(
      `"…/train/a/0.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Replace the file, or set data.onCorrupt to skip."`,
    );
    const { info, skipped } = await load({ onCorrupt: 'skip' });
    expect([info.shape, skipped]).toEqual([[4, 5, 3], [path]]);
    await writeFile(join(root, 'train', 'a', '1.png'), 'no');
    expect(await messageOfError(() => load({ onCorrupt: 'skip' }), root)).toMatchInlineSnapshot(
      `"…/train/a/0.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Replace the file, or set data.onCorrupt to skip."`,
    );
  });
});

test('what is missing is named', async () => {
  const message = async (counts: Parameters<typeof writeTree>[1]): Promise<string> => {
    const { root, load } = await setUp(counts);
    return messageOfError(() => load(), root);
  };
  expect({
    noTrain: await message({ test: { a: 1 } }),
    noTest: await message({ train: { a: 1 } }),
    noClass: await message({ train: {}, test: {} }),
    emptyClass: await message({ train: { a: 1, b: 0 }, test: { a: 1 } }),
    unknownClass: await message({ train: { a: 1 }, test: { a: 1, c: 1 } }),
    noTestImage: await message({ train: { a: 1 }, test: { a: 0 } }),
  }).toMatchInlineSnapshot(`
    {
      "emptyClass": "…/train/b: expected at least one image (.jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp); found none. Add images or remove the folder.",
      "noClass": "…/train: expected one folder of images per class; it holds no folder. Check data.root.",
      "noTest": "…/test or val: expected a folder with one folder of images per class; there is none. Set data.root, --data-root or TAILMIX_DATA.",
      "noTestImage": "…/test: expected at least one image (.jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp); found none. Add images or remove the folder.",
      "noTrain": "…/train: expected a folder with one folder of images per class; there is none. Set data.root, --data-root or TAILMIX_DATA.",
      "unknownClass": "…/test/c: expected a class of the data set (a); this folder is none. Rename or remove it.",
    }
  `);
});

describe('the packed cache', () => {
  test('is made once, and anew when a file or a setting changes', async () => {
    const { root, cache, load } = await setUp();
    const names = async (): Promise<string[]> => (await readdir(cache)).sort();
    await load();
    const first = await names();
    expect(first).toHaveLength(2);
    await load({ profile: 'exp', ratio: 2, workers: 0 }).catch(() => {});
    expect(await names()).toEqual(first);
    await load({ imageSize: 3 });
    expect(await names()).toHaveLength(4);
    await utimes(join(root, 'train', 'ant', '0.png'), 1000, 1000);
    await load();
    expect(await names()).toHaveLength(5);
  });

  test('images are not decoded again', async () => {
    const { cache, options } = await setUp();
    const seen: number[] = [];
    const onProgress = ({ done }: { done: number }): void => void seen.push(done);
    await loadData(options(), { cache, onProgress });
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 1, 2, 3]);
    await loadData(options(), { cache, onProgress });
    expect(seen).toHaveLength(9);
  });
});
