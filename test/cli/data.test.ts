import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { writePicture, writeTree } from '../support/image-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

/** A folder with `images/train` and `images/test`, and a cache of its own. */
async function setUp() {
  const folder = await temporaryFolder();
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  const root = join(folder, 'images');
  await writeTree(root, { train: { ant: 4, bee: 2 }, test: { ant: 1, bee: 1 } }, [8, 10]);
  await writePicture(join(root, 'train/ant/twin.png'), 99, 8, 10);
  await writePicture(join(root, 'test/bee/twin.png'), 99, 8, 10);
  return { folder, root };
}

describe('data info', () => {
  it('shows counts, the tail, duplicates and unreadable files, and draws pictures', async () => {
    const { folder, root } = await setUp();
    await writeFile(join(root, 'train/bee/broken.png'), 'no image');
    const { code, stdout } = await tailmix(folder, 'data', 'info', 'image-folder', '--data-root', 'images');
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "data          image-folder: 2 classes, images of 8 × 10, RGB
      images        7 to train on, 3 for test
      a run         trains on 7, 5 to 2 a class (ratio 2.5)

      class  train  test
      ant        5     1  ████████████████████████████████████████████████████████████
      bee        2     2  ████████████████████████

      many: classes with more than 100 training images, medium: 20 to 100, few: fewer than 20

      few images    fewer than 10 to train on: ant 5, bee 2
                    add photos, put the class together with a related one, or leave it out; no method replaces images
      measured      mean 0.5029 0.4994 0.4978, std 0.2886 0.2887 0.2885 of the training images, before any profile
      duplicates    1 (33.33 %) of the test images are training images too, to the pixel
                    0 (0.00 %) repeat another in train, 0 (0.00 %) another in test
                    1 of 1 sets of equal images are in several classes
                      images/train/ant/twin.png = images/test/bee/twin.png
      unreadable    1 (9.09 %) of the files
                      images/train/bee/broken.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF".
                    replace them, or leave them out of runs: data.onCorrupt: skip
      pictures      runs/data/image-folder/long-tail.svg
                    runs/data/image-folder/samples.png
                    runs/data/image-folder/duplicates.png
      "
    `);
    const pictures = join(folder, 'runs/data/image-folder');
    expect(await sharp(join(pictures, 'samples.png')).metadata()).toMatchObject({ format: 'png', channels: 3 });
    expect(existsSync(join(pictures, 'duplicates.png'))).toBe(true);
    const chart = await readFile(join(pictures, 'long-tail.svg'), 'utf8');
    expect(chart).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(chart).toContain('image-folder: 7 training images in 2 classes, from 5 to 2');
    expect(chart).not.toMatch(/var\(|undefined|NaN/);
    await sharp(Buffer.from(chart)).png().toBuffer();
  });

  it('as JSON, for a config and another folder', async () => {
    const { folder, root } = await setUp();
    const data = `data: { name: image-folder, root: ${root}, profile: exp, ratio: 5 }`;
    await writeFile(join(folder, 'run.yaml'), `${data}\nmodel: { name: mlp }\n`);
    await writeFile(join(folder, 'rare.yaml'), 'data: { ratio: 1 }\n');
    const { code, stdout } = await tailmix(folder, 'data', 'info', 'run.yaml', '--json', '--out', 'here');
    expect(code).toBe(0);
    const layered = await tailmix(folder, 'data', 'info', 'run.yaml', 'rare.yaml', '--json', '--without-images');
    expect(JSON.parse(layered.stdout)).toMatchObject({ trainCounts: [2, 2] });
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({
      name: 'image-folder',
      classes: ['ant', 'bee'],
      shape: [8, 10, 3],
      allCounts: [5, 2],
      trainCounts: [5, 1],
      testCounts: [1, 2],
      read: {
        subset: { images: 6, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
        duplicates: {
          testInTrain: 1,
          acrossClasses: 1,
          sets: [[{ file: join(root, 'train/ant/twin.png') }, { file: join(root, 'test/bee/twin.png') }]],
        },
        unreadable: [],
      },
      root,
      pictures: ['long-tail.svg', 'samples.png', 'duplicates.png'].map((name) => join(folder, 'here', name)),
    });
  });

  it('without images, and where none are', async () => {
    const { folder } = await setUp();
    const info = async (...args: string[]) => (await tailmix(folder, 'data', 'info', ...args)).stdout;
    expect(await info('inat2018', '--data-root', 'nowhere', '--without-images')).toMatchInlineSnapshot(`
      "data          inat2018: 8,142 classes, images of 224 × 224, RGB
      images        437,513 to train on, 24,426 for test
      a class has   2 to 1,000; each count is in train2018.json
      "
    `);
    const text = await info('cinic10', '--data-root', 'nowhere');
    expect(text.slice(text.indexOf('not read')).replaceAll(folder, '…')).toMatchInlineSnapshot(`
      "not read      data.root: expected "cinic10" as train/<class>/<image> and valid/<class>/<image> or the same in CINIC-10/ under …/nowhere; found neither. Set data.root, --data-root or TAILMIX_DATA.
      pictures      runs/data/cinic10/long-tail.svg
      "
    `);
  });

  it('a folder that cannot be written, a name that is nothing', async () => {
    const { folder } = await setUp();
    await writeFile(join(folder, 'file'), '');
    const { code, stderr } = await tailmix(folder, 'data', 'info', 'digits', '--without-images', '--out', 'file/x');
    expect(code).toBe(1);
    expect(stderr.replaceAll(folder, '…')).toMatchInlineSnapshot(`
      "counting …
      data info: expected to write pictures to …/file/x; the system refused (ENOTDIR: not a directory, mkdir '…/file/x'). A file is where a folder is needed: choose another folder with --out.
      "
    `);
    const unknown = await tailmix(folder, 'data', 'info', 'cifar');
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toMatch(
      /^data: expected a data set \(digits, cifar10, .*\), a folder of images or a config file; got "cifar", which is none of them\.\n$/,
    );
    expect(await tailmix(folder, 'data', 'info', 'digits', 'run.yaml')).toMatchObject({
      code: 2,
      stderr: 'data: expected one data set, one folder, or config files alone; got digits run.yaml.\n',
    });
  });
});

describe('data info FOLDER', () => {
  /** 40 ants and 20 bees of mixed sizes, in a folder that an archive was unpacked to. */
  async function photos(under: string) {
    const folder = await temporaryFolder();
    vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
    for (let i = 0; i < 60; i++) {
      const name = i % 3 === 0 ? 'bee' : 'Ämeise';
      await writePicture(join(folder, 'photos', under, name, `${i}.jpg`), i, 40 + (i % 3), 50);
    }
    return folder;
  }
  const filesOf = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

  it('needs no config, divides what has no splits, and writes nothing there', async () => {
    const folder = await photos('all');
    const before = filesOf(join(folder, 'photos'));
    const { code, stdout, stderr } = await tailmix(folder, 'data', 'info', 'photos');
    expect(code, stderr).toBe(0);
    expect(stdout.split('\n').slice(0, 5)).toMatchInlineSnapshot(`
      [
        "data          image-folder: 2 classes, images of 32 × 32, RGB",
        "images        41 to train on, 8 for validation, 11 for test",
        "              scaled to 32 x 32 pixels, because the images have different sizes (data.imageSize sets another size)",
        "              41 images to train on, 8 for validation (13.3%), 11 for test (18.3%), by content",
        "a run         trains on 41, 25 to 16 a class (ratio 1.6)",
      ]
    `);
    expect(stdout).toContain('runs/data/photos/samples.png');
    expect(filesOf(join(folder, 'photos'))).toEqual(before);
    const inside = await tailmix(join(folder, 'photos'), 'data', 'info', '.');
    expect(inside.code, inside.stderr).toBe(0);
    expect(inside.stdout).not.toContain('pictures');
    expect(filesOf(join(folder, 'photos'))).toEqual(before);
  });

  it('reads the splits that there are, and a list of images', async () => {
    const folder = await photos('train');
    await writePicture(join(folder, 'photos/val/bee/x.jpg'), 200, 40, 50);
    const divided = await tailmix(folder, 'data', 'info', 'photos', '--without-images', '--json');
    expect(JSON.parse(divided.stdout)).toMatchObject({
      name: 'image-folder',
      validationCount: 1,
      classes: ['bee', 'Ämeise'],
    });
    const lines = [
      'file,species',
      ...Array.from({ length: 9 }, (_, i) => `train/bee/${3 * i}.jpg,${i % 2 ? 'a' : 'b'}`),
    ];
    await writeFile(join(folder, 'photos/list.csv'), lines.join('\n'));
    const listed = await tailmix(folder, 'data', 'info', 'photos', '--without-images', '--json');
    expect(JSON.parse(listed.stdout)).toMatchObject({ name: 'manifest', classes: ['a', 'b'] });
  });

  it('says what it looks for where there is none', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'empty'));
    const { code, stderr } = await tailmix(folder, 'data', 'info', 'empty');
    expect({ code, stderr }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "empty: expected a folder of images per class, also in train/, val/ and test/, or a .csv, .tsv or .jsonl file that lists images (path, label); found none. Name the folder that holds the class folders.
      ",
      }
    `);
  });
});
