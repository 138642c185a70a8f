import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { writePicture } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Photos as folders have them: height and width by path. */
async function photos(sizes: Record<string, readonly [height: number, width: number]>) {
  const root = await temporaryFolder();
  for (const [i, [path, [height, width]]] of Object.entries(sizes).entries()) {
    await writePicture(join(root, path), i, height, width);
  }
  const cache = await temporaryFolder();
  const options = (input: Partial<DataInput>) =>
    dataOptions.parse({ name: 'image-folder', root, split: { test: 0.2 }, ...input });
  return {
    root,
    plan: async (input: Partial<DataInput> = {}) => (await describeData(options(input))).info,
    load: async (input: Partial<DataInput> = {}) => loadData(options(input), { cache }),
  };
}

const many = (name: string, count: number, size: readonly [number, number]) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}/${i}.png`, size]));

test('what systems leave in folders is left out and counted, other files too', async () => {
  const { root, plan, load } = await photos({ ...many('dög', 3, [8, 8]), ...many('cat/2024', 3, [8, 8]) });
  for (const junk of ['._0.png', '.DS_Store', 'Thumbs.db', 'desktop.ini'])
    await writeFile(join(root, 'dög', junk), 'x');
  for (const folder of ['__MACOSX', '.ipynb_checkpoints']) await writePicture(join(root, folder, 'a.png'), 1, 8, 8);
  await writeFile(join(root, 'cat/2024/note.txt'), 'x');
  for (const name of ['1.HEIC', '2.heic']) await writeFile(join(root, 'cat', name), 'x');
  await writePicture(join(root, 'loose.png'), 77, 8, 8);
  await mkdir(join(root, 'later'));
  const { info, train, test: held } = await load();
  expect(info.classes).toEqual(['cat', 'dög']);
  expect(train.indices.length + held.indices.length).toBe(6);
  expect(info.notes).toEqual((await plan()).notes!.slice(0, -1).concat(info.notes!.slice(4)));
  expect(info.notes!.slice(0, 4)).toMatchInlineSnapshot(`
    [
      "left out: 6 hidden or system files (._*, Thumbs.db, …)",
      "left out: files that are no images by their names (.heic 2, .txt 1)",
      "left out: 1 image in no class folder",
      "left out: class folders without an image (later)",
    ]
  `);
});

describe('without data.imageSize', () => {
  test('images of one small size keep it, and another is unreadable', async () => {
    const { load, plan, root } = await photos(many('a', 100, [12, 10]));
    expect(await plan()).toMatchObject({ shape: [12, 10, 3] });
    // Of 102 files the third in order is not among the 64 that are looked at.
    await writePicture(join(root, 'a/00.png'), 101, 12, 10);
    await writePicture(join(root, 'a/01.png'), 102, 12, 11);
    expect(await messageOfError(load, root)).toContain('a/01.png: expected 12 x 10 pixels');
  });

  test.each([
    ['different ones', { ...many('a', 3, [40, 100]), ...many('b', 4, [100, 120]), ...many('c', 2, [300, 400]) }, 96],
    ['a few large ones among small ones', { ...many('a', 3, [20, 30]), ...many('b', 2, [100, 120]) }, 32],
    ['large ones of one size', many('a', 3, [260, 300]), 224],
  ])('%s are scaled to a square by their sizes, which is said', async (_, sizes, side) => {
    const { load, plan } = await photos(sizes);
    const { info, skipped } = await load();
    expect(info.shape).toEqual([side, side, 3]);
    expect(skipped).toEqual([]);
    expect((await plan()).shape).toEqual(info.shape);
    expect(info.notes!.join()).toContain(`scaled to ${side} x ${side} pixels`);
  });

  test('what cannot be read does not count; if nothing can, the first is named', async () => {
    const { root, plan } = await photos(many('a', 2, [12, 10]));
    await writeFile(join(root, 'a/-.jpg'), 'none');
    expect((await plan()).shape).toEqual([12, 10, 3]);
    const broken = await photos({});
    await mkdir(join(broken.root, 'a'));
    await writeFile(join(broken.root, 'a/x.jpg'), 'none');
    expect(await messageOfError(broken.plan, broken.root)).toMatchInlineSnapshot(
      `"…/a/x.jpg: expected a readable image; got "something else than JPEG, PNG, WebP, TIFF, GIF or AVIF". Replace the file, or set data.onCorrupt to skip."`,
    );
  });
});
