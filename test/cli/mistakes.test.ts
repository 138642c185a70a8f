import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

const SIDE = 6;

/** A picture of one colour; `shade` makes it differ from the others. */
async function paint(
  path: string,
  [red, green, blue]: readonly [number, number, number],
  shade: number,
): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const background = { r: red, g: green, b: Math.min(255, blue + shade) };
  await sharp({ create: { width: SIDE, height: SIDE, channels: 3, background } })
    .png()
    .toFile(path);
}

test('lists an image with a wrong label, by its file, and draws it', { timeout: 120_000 }, async () => {
  const folder = await temporaryFolder();
  const colours = { blue: [0, 0, 200], red: [200, 0, 0] } as const;
  for (const [name, colour] of Object.entries(colours)) {
    for (let i = 0; i < 8; i++) await paint(join(folder, `set/train/${name}/${i}.png`), colour, i);
    for (let i = 0; i < 4; i++) await paint(join(folder, `set/test/${name}/${i}.png`), colour, 10 + i);
  }
  await paint(join(folder, 'set/test/red/wrong.png'), colours.blue, 20);
  await writeFile(
    join(folder, 'run.yaml'),
    `name: colours
data: { name: image-folder, root: set, workers: 0 }
model: { name: mlp, width: 8 }
train: { epochs: 8, batchSize: 8, step: eager }
`,
  );
  expect((await tailmix(folder, 'train', 'run.yaml', '--out', 'a')).code).toBe(0);

  const shown = await tailmix(folder, 'mistakes', 'a');
  expect(shown.code, shown.stderr).toBe(0);
  const texts = shown.stdout.replaceAll(folder, '…').replace(/\([\d.]+ %\)$/gm, '(p)');
  expect(texts).toMatchInlineSnapshot(`
    "a, epoch 8, test: 1 of 9 images classified wrongly (p)
         1  red taken for blue
    labels that are likely wrong: 1; look at these first:
      …/set/test/red/wrong.png  red, taken for blue (p)
    a/mistakes/test/mistakes.csv
    a/mistakes/test/mistakes.json
    a/mistakes/test/mistakes.png
    "
  `);

  const rows = (await readFile(join(folder, 'a/mistakes/test/mistakes.csv'), 'utf8')).split('\r\n');
  expect(rows[0]).toBe('image,label,predicted,probability,label_probability,likely_mislabelled');
  expect(rows[1]).toMatch(/set\/test\/red\/wrong\.png,red,blue,[\d.e-]+,[\d.e-]+,1$/);
  expect(rows[2]).toBe('');
  const { width, height } = await sharp(join(folder, 'a/mistakes/test/mistakes.png')).metadata();
  expect([width, height! > 0]).toEqual([560, true]);

  // Node's own mkdir never returns there.
  const nowhere = await tailmix(folder, 'mistakes', 'a', '--out', '/proc/x');
  expect([nowhere.code, nowhere.stderr]).toEqual([
    1,
    expect.stringMatching(/the system refused \(ENOENT: .*'\/proc\/x'\)\. No folder can be made there/),
  ]);

  const { stdout } = await tailmix(folder, 'mistakes', 'a', '--json', '--out', 'elsewhere');
  const document = JSON.parse(stdout);
  expect(document).toMatchObject({ epoch: 8, split: 'test', count: 9 });
  expect(document.mistakes).toHaveLength(1);
  const { files, ...written } = document;
  expect(JSON.parse(await readFile(join(folder, 'elsewhere/mistakes.json'), 'utf8'))).toEqual(written);

  const refused = await tailmix(folder, 'mistakes', 'a', '--split', 'validation');
  expect([refused.code, refused.stderr]).toMatchInlineSnapshot(`
    [
      2,
      "a: expected validation images; the run has none (data.split.validation). Evaluate on --split test.
    ",
    ]
  `);
});
