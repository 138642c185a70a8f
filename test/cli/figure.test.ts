import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { inTemporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

const folder = inTemporaryFolder();

test('boundaries of a trained run; a run on images is refused by name', async () => {
  const train = (...more: string[]) => tailmix(folder(), 'train', ...more, '--set', 'train.epochs=1');
  const config = (path: string) => resolve('configs', path);
  expect((await train(config('toy/moons-erm.yaml'), '--out', 'moons')).code).toBe(0);
  expect((await train(config('digits/erm.yaml'), '--out', 'digits')).code).toBe(0);

  const drawn = await tailmix(folder(), 'figure', 'boundaries', 'moons', '--out', 'b.svg');
  expect(drawn).toMatchObject({ code: 0, stdout: 'b.svg\n' });
  const svg = await readFile(join(folder(), 'b.svg'), 'utf8');
  // 500 points of one class, 50 of the other.
  expect(svg.match(/M[\d.]+ [\d.]+h0/g)).toHaveLength(550);
  expect(svg).toMatch(/moons, ERM: \d+\.\d %/);

  const refused = await tailmix(folder(), 'figure', 'boundaries', 'digits');
  expect(refused.stderr).toContain(
    'expected a run on points in the plane (images [1, 1, 2]) of two classes; got images [28, 28, 1] of 10',
  );

  const confusion = await tailmix(folder(), 'figure', 'confusion', 'digits', '--json');
  expect(JSON.parse(confusion.stdout)).toEqual({ kind: 'confusion', figure: join(folder(), 'confusion.svg') });
  expect(await readFile(join(folder(), 'confusion.svg'), 'utf8')).toContain('Confusion matrices of the last epoch');
}, 240_000);
