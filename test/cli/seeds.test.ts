import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { main } from '../../src/cli/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

// What the sweep of the methods would be told; nothing is trained.
vi.mock('../../src/cli/sweep.ts', async (original) => ({
  ...(await original<object>()),
  runSweepFiles: async () => 0,
}));

test('compare writes the seeds that it was told, else that of the config', async () => {
  const folder = await temporaryFolder();
  const config = join(folder, 'own.yaml');
  await writeFile(
    config,
    'seed: 7\ndata: { name: digits, ratio: 400, split: { validation: 0.15 } }\nmodel: { name: mlp, width: 8 }\n',
  );
  const out = join(folder, 'methods');
  const seedsOf = async (...args: string[]): Promise<unknown> => {
    expect(await main(['compare', config, '--out', out, ...args, '--quiet'])).toBe(0);
    return (parse(await readFile(join(out, 'sweep.yaml'), 'utf8')) as { seeds: unknown }).seeds;
  };
  expect(await seedsOf()).toEqual([7]);
  expect(await seedsOf('--seeds', '3,5')).toEqual([3, 5]);
  expect(await seedsOf('--seeds', '0')).toEqual([0]);
  expect(await seedsOf('--seed', '4')).toEqual([4]);
});
