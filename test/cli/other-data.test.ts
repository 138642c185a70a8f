import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readLatest, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { writePicture, writeTree } from '../support/image-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

vi.setConfig({ testTimeout: 60_000 });

const config = (more = '') => `name: ants
data: { name: image-folder, root: set, workers: 0 }
model: { name: mlp, width: 4${more} }
train: { epochs: 2, batchSize: 4, step: eager }
`;

/** A folder with class folders `set`, and a run of them `a` that stopped after its first of two epochs. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'other-data-'));
  await writeTree(join(folder, 'set'), { train: { ant: 4, bee: 3 }, test: { ant: 2, bee: 2 } });
  await writeFile(join(folder, 'run.yaml'), config());
  const { code, stderr } = await tailmix(folder, 'train', 'run.yaml', '--out', 'a');
  expect(code, stderr).toBe(0);
  await rm(join(folder, 'a/checkpoints/epoch-0002.safetensors'));
}, 60_000);

afterAll(() => rm(folder, { recursive: true }));

/** A copy of the folder, to be changed. */
async function copied(): Promise<string> {
  const copy = await temporaryFolder();
  await cp(folder, copy, { recursive: true, preserveTimestamps: true });
  return copy;
}

const changes: Record<string, (root: string) => Promise<unknown>> = {
  'class folders renamed': async (root) => {
    for (const split of ['train', 'test']) {
      await rename(join(root, split, 'ant'), join(root, split, 'zebra'));
    }
  },
  'an image moved between classes': (root) => rename(join(root, 'train/ant/3.png'), join(root, 'train/bee/3.png')),
  'all pixels replaced': async (root) => {
    for (const path of ['train/ant/0', 'train/ant/1', 'train/bee/0', 'test/ant/0', 'test/bee/0']) {
      await writePicture(join(root, `${path}.png`), 200 + path.length);
    }
  },
};

describe.each(Object.entries(changes))('%s', (_, change) => {
  test('evaluate refuses it, both named, and says so where it is allowed', async () => {
    const own = await copied();
    expect((await tailmix(own, 'evaluate', 'a')).code).toBe(0);
    await change(join(own, 'set'));
    const refused = await tailmix(own, 'evaluate', 'a');
    expect(refused.code).toBe(2);
    expect(refused.stderr.replace(/[\da-f]{12}/g, '<hash>')).toMatchSnapshot();
    const allowed = await tailmix(own, 'evaluate', 'a', '--allow-other-data', '--json');
    expect(allowed.code).toBe(0);
    const { otherData } = JSON.parse(allowed.stdout);
    expect(otherData.trained).not.toEqual(otherData.evaluated);
  });

  test('--resume refuses it; allowed, the run records what it had seen', async () => {
    const own = await copied();
    await change(join(own, 'set'));
    const refused = await tailmix(own, 'train', '--resume', 'a');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('expected the data that it was trained on');
    const { snapshot: before } = await readLatest(join(own, 'a'));
    expect((await tailmix(own, 'train', '--resume', 'a', '--allow-other-data')).code).toBe(0);
    const summary = JSON.parse(await readFile(join(own, 'a/summary.json'), 'utf8'));
    expect(summary.status).toBe('finished');
    expect(summary.otherData).toEqual([{ by: 'resume', data: before.data }]);
    expect(JSON.parse(await readFile(join(own, 'a/subset.json'), 'utf8')).otherData).toEqual(summary.otherData);
    expect((await readLatest(join(own, 'a'))).snapshot.data!.otherData).toEqual(summary.otherData);
  });
});

test('the same data in another place are the same', async () => {
  const own = await copied();
  await rename(join(own, 'set'), join(own, 'moved'));
  expect((await tailmix(own, 'evaluate', 'a', '--data-root', join(own, 'moved'))).code).toBe(0);
});

test('predict refuses a description of other data', async () => {
  const own = await copied();
  const image = join('set', 'test', 'ant', '0.png');
  expect((await tailmix(own, 'predict', 'a', image)).code).toBe(0);
  const path = join(own, 'a/subset.json');
  await writeFile(path, (await readFile(path, 'utf8')).replace('"ant"', '"cat"'));
  const refused = await tailmix(own, 'predict', 'a', image);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatchInlineSnapshot(`
    "a, subset.json: expected the data that it was trained on: classes ant (of 2); got classes cat (of 2). Use that data (data.root), or --allow-other-data if this is meant; the run records it.
    "
  `);
  expect((await tailmix(own, 'predict', 'a', image, '--allow-other-data')).code).toBe(0);
});

test('model.init of a run with other classes is refused while its classifier is kept', async () => {
  const own = await copied();
  for (const split of ['train', 'test']) await rename(join(own, 'set', split, 'ant'), join(own, 'set', split, 'zebra'));
  await writeFile(join(own, 'next.yaml'), config(', init: a'));
  const refused = await tailmix(own, 'train', 'next.yaml', '--out', 'b');
  expect(refused.code).toBe(2);
  expect(refused.stderr.split('\n').findLast((line) => line.includes('model.init'))).toMatchInlineSnapshot(
    `"model.init a/checkpoints/epoch-0001.safetensors: expected the data that it was trained on: classes ant, bee (of 2); got classes bee, zebra (of 2). Use that data (data.root), or --allow-other-data if this is meant; the run records it."`,
  );
  expect((await tailmix(own, 'train', 'next.yaml', '--out', 'c', '--set', 'model.reset=[classifier]')).code).toBe(0);
  expect((await tailmix(own, 'train', 'next.yaml', '--out', 'd', '--allow-other-data')).code).toBe(0);
  const read = async (run: string) => JSON.parse(await readFile(join(own, run, 'summary.json'), 'utf8'));
  expect((await read('c')).otherData).toBeUndefined();
  expect((await read('d')).otherData).toMatchObject([{ by: 'init', data: { classes: ['ant', 'bee'] } }]);
});

test('a checkpoint of an earlier version, which does not say, is taken with a warning', async () => {
  const own = await copied();
  const { path, snapshot } = await readLatest(join(own, 'a'));
  const { data: _, ...earlier } = snapshot;
  await writeCheckpoint(path, earlier);
  await changes['an image moved between classes']!(join(own, 'set'));
  const said = /epoch-0001\.safetensors: the checkpoint .* does not hold the hash of the data it was trained on/;
  const image = join(own, 'set/test/ant', (await readdir(join(own, 'set/test/ant')))[0]!);
  for (const command of [
    ['evaluate', 'a'],
    ['predict', 'a', image],
  ]) {
    const { code, stderr } = await tailmix(own, ...command);
    expect([command, code, stderr]).toEqual([command, 0, expect.stringMatching(said)]);
  }
});
