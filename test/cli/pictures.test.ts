import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { context } from '../../src/cli/context.ts';
import { readRows } from '../../src/data/inspect/scan.ts';
import { neighboursOf } from '../../src/trained/neighbours.ts';
import { openNetwork } from '../../src/trained/network.ts';
import { openRun } from '../../src/trained/open.ts';
import { concatenate } from '../../src/util/concatenate.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

const folder = inTemporaryFolder();
const config = (path: string) => resolve('configs', path);

test('pictures of a run stand in its report, and are made anew where it was trained again', {
  timeout: 240_000,
}, async () => {
  const train = (...more: string[]) =>
    tailmix(folder(), 'train', config('digits/remix.yaml'), '--out', 'runs/first', ...more);
  expect((await train('--set', 'train.epochs=1')).code).toBe(0);
  const made = await tailmix(folder(), 'pictures', 'first');
  expect(made.code, made.stderr).toBe(0);
  expect(made.stdout).toMatch(
    /^runs\/first: 8 mixed images of epoch 1; \d+ wrong images, among 1985 training images\n$/,
  );

  const page = join(folder(), 'runs/first/report/index.html');
  expect((await tailmix(folder(), 'report', 'first')).code).toBe(0);
  const text = await readFile(page, 'utf8');
  expect(text).toContain('; img-src data:');
  expect(text).toMatch(/<h2 id="mixed">.*Label of Remix/s);
  expect(text).toMatch(/<h2 id="wrong">.*alt="training image of \d"/s);
  expect(Buffer.byteLength(text)).toBeLessThan(10_000_000);

  expect((await tailmix(folder(), 'report', 'first', '--no-images')).code).toBe(0);
  expect(await readFile(page, 'utf8')).not.toMatch(/<img|img-src|id="mixed"/);

  const file = join(folder(), 'runs/first/pictures.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace(/"configHash":"./, '"configHash":"-'));
  expect((await tailmix(folder(), 'report', 'first')).code).toBe(0);
  const stale = await readFile(page, 'utf8');
  expect(stale).toContain('its pictures are of another training: make them again with `tailmix pictures`');
  expect(stale).not.toContain('<img');

  const run = await openRun(join(folder(), 'runs/first'), { ...context, readImages: true });
  await loadBackend(run.options.backend);
  const { train: own, test: other } = run.data;
  const wanted = other.indices.slice(0, 3);
  const { of, among } = await neighboursOf(run, { split: other.split, indices: wanted }, 3);
  expect(among).toBe(own.indices.length);
  const network = openNetwork(run);
  const featuresOf = async (split: typeof own.split, rows: Int32Array): Promise<number[][]> => {
    const images = await readRows(split, run.data.info.shape, rows);
    const { features } = network.run(concatenate(Uint8Array, images), images.length);
    const size = features.length / images.length;
    return images.map((_, i) => [...features.subarray(i * size, (i + 1) * size)]);
  };
  const all = await featuresOf(own.split, own.indices);
  for (const [i, image] of (await featuresOf(other.split, wanted)).entries()) {
    const nearest = all
      .map((feature, at) => ({ row: own.indices[at]!, similarity: cosine(image, feature) }))
      .sort((a, b) => b.similarity - a.similarity);
    expect(of[i]!.map(({ row }) => row)).toEqual(nearest.slice(0, 3).map(({ row }) => row));
    expect(of[i]![0]!.similarity).toBeCloseTo(nearest[0]!.similarity, 4);
    expect(of[i]![0]!.label).toBe(own.split.labels[of[i]![0]!.row]);
  }
  network.dispose();
});

test('points in the plane: the boundary; of a run that cannot be opened none, and exit code 1', {
  timeout: 120_000,
}, async () => {
  const trained = await tailmix(
    folder(),
    'train',
    config('toy/moons-erm.yaml'),
    '--out',
    'moons',
    '--set',
    'train.epochs=1',
  );
  expect(trained.code).toBe(0);
  const made = await tailmix(folder(), 'pictures', 'moons', '--json');
  expect(JSON.parse(made.stdout)).toEqual({
    made: [
      { run: join(folder(), 'moons'), file: join(folder(), 'moons/pictures.json'), has: ['the decision boundary'] },
    ],
    failures: 0,
  });
  expect((await tailmix(folder(), 'report', 'moons')).code).toBe(0);
  expect(await readFile(join(folder(), 'moons/report/index.html'), 'utf8')).toMatch(
    /<h2 id="boundaries">.*data:image\/png;base64,/s,
  );

  await writeFile(join(folder(), 'moons/subset.json'), '{');
  await writeFile(join(folder(), 'moons/config.yaml'), 'name: [');
  const refused = await tailmix(folder(), 'pictures', 'moons');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('moons: no pictures: ');
});

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const cosine = (a: readonly number[], b: readonly number[]): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
