import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { loadData } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import { randomStream } from '../../src/random.ts';
import { writeTree } from '../support/image-tree.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = inTemporaryFolder();

const grey = (path: string, pixels: Uint8Array) =>
  sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
    .png()
    .toFile(join(folder(), path));

beforeAll(async () => {
  await writeFile(join(folder(), 'run.yaml'), quickRun);
  const { code, stderr } = await tailmix(folder(), 'train', 'run.yaml', '--out', 'a');
  expect(code, stderr).toBe(0);
  await mkdir(join(folder(), 'noise/deeper'), { recursive: true });
  const draws = randomStream(0, 'noise');
  for (let i = 0; i < 40; i++) {
    const pixels = Uint8Array.from({ length: 784 }, () => Math.floor(256 * draws.uniform()));
    await grey(`noise/${i % 2 === 0 ? '' : 'deeper/'}${i}.png`, pixels);
  }
  await mkdir(join(folder(), 'digits'));
  const { test } = await loadData(dataOptions.parse({ name: 'digits' }));
  if (test.split.pixels.kind !== 'memory') throw new Error('digits are in memory');
  const pixels = new Uint8Array(test.split.pixels.bytes);
  for (const row of test.indices) await grey(`digits/${row}.png`, pixels.slice(row * 784, (row + 1) * 784));
});

const evaluated = async (run: string, ...args: string[]) => {
  const { code, stdout, stderr } = await tailmix(folder(), 'evaluate', run, '--json', ...args);
  expect(code, stderr).toBe(0);
  return { ...JSON.parse(stdout), stderr };
};

/** Highest probabilities of the images of a folder, by `tailmix predict`. */
async function confidencesOf(images: string): Promise<number[]> {
  const { stdout } = await tailmix(folder(), 'predict', 'a', images, '--recursive', '--top', '1', '--json');
  return JSON.parse(stdout).predictions.map(({ top }: { top: { probability: number }[] }) => top[0]!.probability);
}

describe('evaluate --ood', () => {
  it('has the AUROC and FPR95 that follow from the probabilities of predict', async () => {
    const { ood, count } = await evaluated('a', '--ood', 'noise');
    expect(count).toBe(1996);
    expect(ood).toMatchObject({ folder: 'noise', score: 'max-softmax', count: 40, unreadable: [] });
    const [inside, outside] = [await confidencesOf('digits'), await confidencesOf('noise')];
    const wins = inside.flatMap((a) => outside.map((b): number => (a > b ? 1 : a === b ? 0.5 : 0)));
    expect(ood.auroc).toBeCloseTo(wins.reduce((a, b) => a + b, 0) / wins.length, 3);
    const threshold = inside.toSorted((a, b) => b - a)[Math.ceil(0.95 * inside.length) - 1]!;
    expect(ood.fpr95).toBeCloseTo(outside.filter((score) => score >= threshold).length / outside.length, 12);
  });

  it('cannot tell images from themselves: they go the way of the split', async () => {
    const { ood } = await evaluated('a', '--ood', 'digits');
    expect(ood).toMatchObject({ count: 1996, auroc: 0.5 });
    expect(ood.fpr95).toBeCloseTo(0.95, 2);
  });

  it('the same of photos that are packed larger and evaluated by five crops', async () => {
    await writeTree(join(folder(), 'images'), { train: { a: 3, b: 3 }, test: { a: 3, b: 2 } }, [17, 12]);
    const data = '{ name: image-folder, root: images, workers: 0, imageSize: 8, packSize: 10 }';
    await writeFile(
      join(folder(), 'photos.yaml'),
      `name: photos\ndata: ${data}\nmodel: { name: mlp, width: 8 }\nevaluate: { crops: five }\ntrain: { epochs: 1, batchSize: 3, step: eager }\n`,
    );
    const { code, stderr } = await tailmix(folder(), 'train', 'photos.yaml', '--out', 'photos');
    expect(code, stderr).toBe(0);
    const { ood } = await evaluated('photos', '--ood', 'images/test');
    expect(ood).toMatchObject({ count: 5, auroc: 0.5, fpr95: 1 });
  });

  it('leaves out what cannot be read, and says so', async () => {
    await writeFile(join(folder(), 'noise/broken.png'), 'no image');
    const { ood, stderr } = await evaluated('a', '--ood', 'noise');
    await rm(join(folder(), 'noise/broken.png'));
    expect(ood.count).toBe(40);
    expect(ood.unreadable).toEqual([
      { path: join('noise', 'broken.png'), reason: expect.stringContaining('broken.png') },
    ]);
    expect(stderr).toContain('1 of 41 images could not be read and are left out');
  });

  it('prints both, and refuses a folder without images and one of colour images for a grey run', async () => {
    const { stdout } = await tailmix(folder(), 'evaluate', 'a', '--ood', 'noise');
    expect(stdout).toMatch(/out of distribution +AUROC \d+\.\d\d %, FPR95 \d+\.\d\d %\n.* 40 images of noise/);
    await mkdir(join(folder(), 'empty'));
    const empty = await tailmix(folder(), 'evaluate', 'a', '--ood', 'empty');
    expect(empty).toMatchObject({ code: 2, stderr: expect.stringContaining('empty: expected image files') });
    const colour = await tailmix(folder(), 'evaluate', 'a', '--ood', 'images/test');
    expect(colour).toMatchObject({ code: 1, stderr: expect.stringContaining('expected a grey image') });
    const both = await tailmix(folder(), 'evaluate', 'a', '--ood', 'noise', '--from-logits');
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be used with option '--ood") });
  });
});
