import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { PAGE_BYTES, pictureSections } from '../../src/report/page/pictures.ts';
import { encodePicture } from '../../src/report/pictures/encode.ts';
import { type Pictures, readPictures, writePictures } from '../../src/report/pictures/file.ts';
import { loadPictures } from '../../src/report/pictures/shown.ts';
import { loadRuns } from '../../src/report/runs.ts';
import { writeReport } from '../../src/report/write.ts';
import { writeSyntheticRun } from './synthetic-runs.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-pictures-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function madeUp(images = 1, side = 8): Promise<Pictures> {
  const noise = (seed: number) => Uint8Array.from({ length: side * side }, (_, i) => (seed + i * i * 2654435761) >>> 7);
  const image = await encodePicture(noise(1), [side, side, 1]);
  const row = { image, label: '<b>one</b>', predicted: 'two', probability: 0.9, labelProbability: 0.05 };
  return {
    configHash: 'c0ffee',
    subsetHash: '5b2c9f0a7d1e4c3388aa01bb22cc33dd44ee55ff66aa77bb88cc99dd00ee11ff',
    epoch: 2,
    mixed: null,
    wrong: {
      ...{ count: 100, wrong: 9, among: 50, classes: 3 },
      rows: Array.from({ length: images }, () => ({ ...row, nearest: [{ image, label: 'two', similarity: 0.5 }] })),
    },
    plane: null,
  };
}

const runWith = async (made: Pictures, method = 'ERM'): Promise<string> => {
  const run = await writeSyntheticRun(root, { method, seed: 1, tailLift: 0, epochs: 2 });
  await writePictures(run, made);
  return run;
};

const pageOf = async (): Promise<string> =>
  readFile(await writeReport(compareRuns(await loadRuns([root])), join(root, 'report')), 'utf8');

test('pictures lie in the page, described, and texts of a run stay texts', async () => {
  await runWith(await madeUp());
  const page = await pageOf();
  expect(page).toMatch(
    /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"/,
  );
  expect(page).toContain('alt="&lt;b&gt;one&lt;/b&gt;, taken for two"');
  expect(page).not.toContain('<b>one');
  expect(page).toContain('Of 3 classes with mistakes the 1 of the surest ones.');
});

test('without pictures the page allows none', async () => {
  await writeSyntheticRun(root, { method: 'ERM', seed: 1, tailLift: 0, epochs: 2 });
  expect(await pageOf()).not.toMatch(/img-src|<img/);
});

test('a page is 10 MB at most, and says which methods have no room', async () => {
  const large = await madeUp(400, 64);
  const bytes = JSON.stringify(large).length;
  expect(bytes).toBeGreaterThan(PAGE_BYTES / 4);
  for (const method of ['ERM', 'Mixup', 'Remix', 'CutMix', 'DRW']) await runWith(large, method);
  const page = await pageOf();
  expect(Buffer.byteLength(page)).toBeLessThan(PAGE_BYTES);
  expect(Buffer.byteLength(page)).toBeGreaterThan(PAGE_BYTES - 1.1 * bytes);
  expect(page).toMatch(/Left out, since a page is 10 MB at most<\/strong>: ([\w, -]+)\./);
});

test('no room at all: no pictures, and it is said', async () => {
  await runWith(await madeUp());
  const { shown } = await loadPictures(compareRuns(await loadRuns([root])));
  const [section] = await pictureSections(shown, 0);
  expect(JSON.stringify(section)).toContain('Left out, since a page is 10 MB at most</strong>: ERM.');
});

test.each([
  ['{', /^pictures\.json cannot be read \(/],
  ['{}', /^pictures\.json is damaged: configHash: /],
  [JSON.stringify({ configHash: 'x', subsetHash: 'x', epoch: 1, mixed: null, wrong: null, plane: 3 }), /plane/],
])('a file of %j is told of', async (text, expected) => {
  await writeFile(join(root, 'pictures.json'), text);
  expect(await readPictures(root)).toMatch(expected);
});

test('bytes that are no Base64 reach no page', async () => {
  const made = await madeUp();
  made.wrong!.rows[0]!.image.bytes = '"><script>alert(1)</script>';
  await writeFile(join(root, 'pictures.json'), JSON.stringify(made));
  expect(await readPictures(root)).toMatch(/^pictures\.json is damaged: wrong\.rows\.0\.image\.bytes/);
});

test('small images keep each pixel, photos become small', async () => {
  expect(await encodePicture(new Uint8Array(32 * 32 * 3), [32, 32, 3])).toMatchObject({ type: 'png', width: 32 });
  const photo = await encodePicture(new Uint8Array(300 * 200 * 3), [200, 300, 3]);
  expect(photo).toMatchObject({ type: 'jpeg', width: 96, height: 64 });
});
