import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
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

      measured      mean 0.5029 0.4994 0.4978, std 0.2886 0.2887 0.2885 of the training images, before any profile
      duplicates    1 (33.33 %) of the test images are training images too, to the pixel
                    0 (0.00 %) repeat another in train, 0 (0.00 %) another in test
                    1 of 1 sets of equal images are in several classes
                      images/train/ant/twin.png = images/test/bee/twin.png
      unreadable    1 (9.09 %) of the files
                      images/train/bee/broken.png: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Replace the file, or set data.onCorrupt to skip.
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
      /^data: expected a data set \(digits, cifar10, .*\) or a config file; got "cifar", which is neither\.\n$/,
    );
    expect(await tailmix(folder, 'data', 'info', 'digits', 'run.yaml')).toMatchObject({
      code: 2,
      stderr: 'data: expected one data set, or config files alone; got digits run.yaml.\n',
    });
  });
});
