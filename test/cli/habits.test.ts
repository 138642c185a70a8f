import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

test('an option that is a setting of the config is said to be one; each command points to its own help', async () => {
  const folder = await temporaryFolder();
  const texts = [];
  for (const args of [
    ['train', '--epoch', '3'],
    ['plan', '--batch-size', '3'],
    ['data', 'info'],
    ['plugins', '--epochs', '3'],
  ])
    texts.push((await tailmix(folder, ...args)).stderr);
  expect(texts).toMatchInlineSnapshot(`
    [
      "error: unknown option '--epoch'
    (tailmix train --help describes its options, with an example)
    (It is a setting of the config: --set train.epochs=VALUE)
    ",
      "error: unknown option '--batch-size'
    (tailmix plan --help describes its options, with an example)
    (It is a setting of the config: --set train.batchSize=VALUE)
    ",
      "error: missing required argument 'names'
    (tailmix data info --help describes its options, with an example)
    ",
      "error: unknown option '--epochs'
    (tailmix plugins --help describes its options, with an example)
    ",
    ]
  `);
});

test('report takes the name of a run, and refuses what is neither run nor path', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'runs/res-20260131-093000'), { recursive: true });
  await writeFile(join(folder, 'runs/res-20260131-093000/config.yaml'), 'name: res\n');
  await writeFile(join(folder, 'runs/res-20260131-093000/plan.txt'), '');
  expect((await tailmix(folder, 'report', 'res')).stderr).toContain('runs/res-20260131-093000');
  expect((await tailmix(folder, 'report', 'other')).stderr).toContain('other does not exist');
  await mkdir(join(folder, 'runs/my-photos-20260131-093000'));
  await writeFile(join(folder, 'runs/my-photos-20260131-093000/config.yaml'), 'name: my photos\n');
  await writeFile(join(folder, 'runs/my-photos-20260131-093000/plan.txt'), '');
  expect((await tailmix(folder, 'report', 'my photos')).stderr).toContain('runs/my-photos-20260131-093000');
});

test('--quiet leaves out progress and remarks, not errors', async () => {
  const folder = await temporaryFolder();
  const quiet = await tailmix(folder, '--quiet', 'plan', 'absent.yaml');
  expect(quiet).toEqual(await tailmix(folder, 'plan', 'absent.yaml'));
  expect(quiet.stderr).not.toBe('');
  const loud = await tailmix(folder, 'data', 'info', 'moons');
  const silent = await tailmix(folder, 'data', 'info', 'moons', '--quiet');
  expect([loud.code, silent.code]).toEqual([0, 0]);
  expect(loud.stderr).not.toBe('');
  expect(silent.stderr).toBe('');
  expect(silent.stdout).toBe(loud.stdout);
});
