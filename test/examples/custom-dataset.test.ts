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
import { createTrainer } from '../../src/trainer.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const example = fileURLToPath(new URL('../../examples/custom-dataset.ts', import.meta.url));

/** An IDX file of bytes, as its format is published. */
const idx = (sizes: number[], values: Uint8Array): Buffer => {
  const head = Buffer.from([0, 0, 8, sizes.length, ...sizes.flatMap((n) => [n >> 24, n >> 16, n >> 8, n])]);
  return Buffer.concat([head, values]);
};

/** A root with the four files: `each` images of every class, one grey a class; and a config that names the example. */
async function setUp(each = 8) {
  const root = await temporaryFolder();
  const folder = join(root, 'fashion-mnist');
  await mkdir(folder);
  const labels = Uint8Array.from({ length: 10 * each }, (_, i) => i % 10);
  const images = Uint8Array.from({ length: labels.length * 784 }, (_, i) => 25 * labels[Math.floor(i / 784)]!);
  for (const prefix of ['train', 't10k']) {
    await writeFile(join(folder, `${prefix}-labels-idx1-ubyte.gz`), gzipSync(idx([labels.length], labels)));
    await writeFile(join(folder, `${prefix}-images-idx3-ubyte.gz`), gzipSync(idx([labels.length, 28, 28], images)));
  }
  const config = join(root, 'run.yaml');
  const lines = [`data: { name: ${example}, root: ${root}, ratio: 4 }`, 'model: { name: mlp }'];
  await writeFile(
    config,
    `${lines.join('\n')}\ntrain: { epochs: 12, batchSize: 8, optimizer: { name: sgd, learningRate: 0.02 } }\n`,
  );
  const load = (...set: string[]) => loadConfig(config, { registry, set });
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

test('a plan needs no files; its counts are the published ones', async () => {
  const { load } = await setUp();
  const { info, profile, augment } = await describeData((await load('data.root=/nowhere')).options.data);
  expect([info.fullCounts, profile, augment.length]).toEqual([Array(10).fill(6000), 'exp', 1]);
});

test('the hash of a run follows the file of the data set, not its path', async () => {
  const { load, root } = await setUp();
  const source = readFileSync(example, 'utf8');
  await writeFile(join(root, 'a.ts'), source);
  await writeFile(join(root, 'b.ts'), source);
  await writeFile(join(root, 'c.ts'), `${source}\n// changed`);
  const hashes = await Promise.all(
    ['./a.ts', './b.ts', './c.ts'].map(async (name) => (await load(`data.name=${name}`)).hash),
  );
  expect(hashes[0]).toBe(hashes[1]);
  expect(hashes[2]).not.toBe(hashes[0]);
});

test('what is wrong is told with the config', async () => {
  const { load, root } = await setUp();
  await writeFile(join(root, 'none.ts'), 'export const a = 1;');
  await writeFile(join(root, 'other.ts'), 'export default 5;');
  await writeFile(join(root, 'throws.ts'), 'throw new Error("no luck");');
  const message = (...set: string[]) => messageOfError(() => load(...set), root);
  expect([
    await message('data.name=./none.ts'),
    await message('data.name=./other.ts'),
    await message('data.name=./throws.ts'),
    await message('data.name=./missing.ts'),
    await message('data.name=cifar11'),
    await message('data.options.foldr=x'),
    await message('data.options.folder=3'),
    await message('data.name=digits', 'data.options.folder=x'),
  ]).toMatchInlineSnapshot(`
    [
      "…/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
      "…/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
      "…/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
      "…/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
      "--set data.name=cifar11  data.name
      expected one of digits, cifar10, cifar100, cinic10, inat2018, image-folder, blobs, moons, circles, or text like ^(\\.{1,2}[/\\\\]|\\/|[A-Za-z]:[/\\\\]), got "cifar11". Did you mean "cifar10"?

    …/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
      "…/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
      "…/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
      "…/run.yaml:3  train.optimizer.name
      is required: one of sgd, adamw.",
    ]
  `);
});

test('in code: the data set itself, not its path', async () => {
  expect(await messageOfError(() => describeData({ name: './my-set.ts' } as never))).toMatchInlineSnapshot(`"data.name: expected one of digits, cifar10, cifar100, cinic10, inat2018, image-folder, blobs, moons, circles, or a data set made by defineDataset; got "./my-set.ts". In code import the module and pass what it exports."`);
  const { default: set } = await import('../../examples/custom-dataset.ts');
  const { dataOptions } = await import('../../src/data/options.ts');
  expect((await describeData(dataOptions.parse({ name: set }))).info.name).toBe('fashion-mnist');
  expect(
    await messageOfError(() => describeData(dataOptions.parse({ name: set, options: { folder: 1 } }))),
  ).toMatchInlineSnapshot(`"data.options: expected options of "fashion-mnist"; got folder: Invalid input: expected string, received number. Correct data.options."`);
});
