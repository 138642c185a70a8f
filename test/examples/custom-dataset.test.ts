import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const example = fileURLToPath(new URL('../../examples/custom-dataset.ts', import.meta.url));

/** An IDX file of bytes, as its format is published. */
const idx = (sizes: number[], values: Uint8Array): Buffer => {
  const head = Buffer.from([0, 0, 8, sizes.length, ...sizes.flatMap((n) => [n >> 24, n >> 16, n >> 8, n])]);
  return Buffer.concat([head, values]);
};

/** A root with the four files: `each` images of every class, which are its columns; and a config that names the example. */
async function setUp(each = 8) {
  const root = await temporaryFolder();
  const folder = join(root, 'fashion-mnist');
  await mkdir(folder);
  const labels = Uint8Array.from({ length: 10 * each }, (_, i) => i % 10);
  const images = Uint8Array.from({ length: labels.length * 784 }, (_, i) =>
    (i % 28) % 10 === labels[Math.floor(i / 784)] ? 255 : 0,
  );
  for (const prefix of ['train', 't10k']) {
    await writeFile(join(folder, `${prefix}-labels-idx1-ubyte.gz`), gzipSync(idx([labels.length], labels)));
    await writeFile(join(folder, `${prefix}-images-idx3-ubyte.gz`), gzipSync(idx([labels.length, 28, 28], images)));
  }
  const train = 'train: { epochs: 12, batchSize: 8, optimizer: { name: sgd, learningRate: 0.02 } }';
  const load = async (name = example, ...set: string[]) => {
    const config = join(root, 'run.yaml');
    const data = `data: { name: ${name}, root: ${root}, ratio: 4 }`;
    await writeFile(config, `${data}\nmodel: { name: mlp }\n${train}\n`);
    return loadConfig(config, { registry, set });
  };
  return { root, folder, labels, images, load };
}

test('is under 60 lines', () => {
  expect(readFileSync(example, 'utf8').trimEnd().split('\n').length).toBeLessThan(60);
});

test('a config that names it trains on it', async () => {
  const { load, labels, images } = await setUp();
  const config = await load();
  const options = trainerOptions(config);
  const loaded = await loadData(config.options.data);
  expect(loaded.info.name).toBe('fashion-mnist');
  expect([...loaded.train.split.labels]).toEqual([...labels]);
  const { pixels } = loaded.train.split;
  expect(pixels.kind === 'memory' && new Uint8Array(pixels.bytes)).toEqual(images);
  expect([...loaded.train.classCounts]).toEqual([8, 6, 5, 5, 4, 3, 3, 2, 2, 2]);
  expect(config.resolved.data).toMatchObject({ name: expect.stringContaining('custom-dataset.ts'), ratio: 4 });
  expect(config.resolved.data).toHaveProperty('options', { folder: 'fashion-mnist' });
  const { summary } = await createTrainer(options).run();
  expect(summary.last!.accuracy).toBeGreaterThan(0.5);
});

test('its config trains', async () => {
  const { root } = await setUp(4);
  const set = [`data.root=${root}`, 'data.ratio=2', 'train.epochs=3', 'train.batchSize=8'];
  const config = await loadConfig(example.replace('.ts', '.yaml'), { registry, set });
  const { summary } = await createTrainer(trainerOptions(config)).run();
  expect(summary.last!.accuracy).toBeGreaterThan(0);
});

test('a plan needs no files; its counts are the published ones', async () => {
  const { load } = await setUp();
  const { info, profile, augment } = await describeData((await load(example, 'data.root=/nowhere')).options.data);
  expect([info.fullCounts, profile, augment.length]).toEqual([Array(10).fill(6000), 'exp', 1]);
});

test('an error of its own names the data set', async () => {
  const { load, root } = await setUp();
  const message = async (...set: string[]) => {
    const { data } = (await load(example, ...set)).options;
    return messageOfError(() => loadData(data), root);
  };
  const missing = await message('data.options.folder=none');
  await writeFile(join(root, 'fashion-mnist/t10k-labels-idx1-ubyte.gz'), Buffer.from([0, 0, 8, 1, 0, 0, 0, 9]));
  expect([missing, await message()]).toMatchInlineSnapshot(`
    [
      "data set "fashion-mnist": expected its read to give both splits; it threw "ENOENT: no such file or directory, open '…/none/train-labels-idx1-ubyte.gz'". Check that its files are where it looks for them (data.root), or the module.",
      "data set "fashion-mnist": expected its read to give both splits; it threw "…/fashion-mnist/t10k-labels-idx1-ubyte.gz: expected bytes of shape N; got 9.". Check that its files are where it looks for them (data.root), or the module.",
    ]
  `);
});

test('the hash of a run follows the file of the data set, not its path', async () => {
  const { load, root } = await setUp();
  const source = readFileSync(example, 'utf8');
  await writeFile(join(root, 'a.ts'), source);
  await writeFile(join(root, 'b.ts'), source);
  await writeFile(join(root, 'c.ts'), `${source}\n// changed`);
  const { hash } = await load('./a.ts');
  expect((await load('./b.ts')).hash).toBe(hash);
  expect((await load('./c.ts')).hash).not.toBe(hash);
});

test('what is wrong is told with the config', async () => {
  const { load, root } = await setUp();
  await writeFile(join(root, 'none.ts'), 'export const a = 1;');
  await writeFile(join(root, 'other.ts'), 'export default 5;');
  await writeFile(join(root, 'throws.ts'), 'throw new Error("no luck");');
  const message = (name: string, ...set: string[]) => messageOfError(() => load(name, ...set), root);
  expect([
    await message('./none.ts'),
    await message('./other.ts'),
    await message('./throws.ts'),
    await message('./missing.ts'),
    await message('cifar11'),
    await message(example, 'data.options.foldr=x'),
    await message(example, 'data.options.folder=3'),
    await message('digits', 'data.options.folder=x'),
  ]).toMatchInlineSnapshot(`
    [
      "…/run.yaml:1  data.name
      ./none.ts: expected \`export default defineDataset({ … })\`, got a module without a default export.",
      "…/run.yaml:1  data.name
      ./other.ts: expected \`export default defineDataset({ … })\`, got 5.",
      "…/run.yaml:1  data.name
      ./throws.ts: expected a module that loads; it threw: no luck",
      "…/run.yaml:1  data.name
      expected a file at …/missing.ts; there is none.",
      "…/run.yaml:1  data.name
      expected one of digits, cifar10, cifar100, cinic10, inat2018, image-folder, manifest, blobs, moons, circles, or a path such as ./my-set.ts, got "cifar11". Did you mean "cifar10"?",
      "--set data.options.foldr=x  data.options.foldr
      fashion-mnist has no option "foldr". Did you mean "folder"? Options: folder.",
      "--set data.options.folder=3  data.options.folder
      expected text, got 3.",
      "--set data.options.folder=x  data.options.folder
      digits has no option "folder". It has none.",
    ]
  `);
});

test('in code: the data set itself, not its path', async () => {
  expect(await messageOfError(() => describeData({ name: './my-set.ts' } as never))).toMatchInlineSnapshot(
    `"data.name: expected one of digits, cifar10, cifar100, cinic10, inat2018, image-folder, manifest, blobs, moons, circles, or a data set made by defineDataset; got "./my-set.ts". In code import the module and pass what it exports."`,
  );
  const { default: set } = await import('../../examples/custom-dataset.ts');
  const { dataOptions } = await import('../../src/data/options.ts');
  expect((await describeData(dataOptions.parse({ name: set }))).info.name).toBe('fashion-mnist');
  expect(
    await messageOfError(() => describeData(dataOptions.parse({ name: set, options: { folder: 1 } }))),
  ).toMatchInlineSnapshot(
    `"data.options: expected options of "fashion-mnist"; got folder: Invalid input: expected string, received number. Correct data.options."`,
  );
});
