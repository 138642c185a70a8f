import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sweepResults } from '../../src/sweep/results.ts';
import { writeSyntheticRun } from '../report/synthetic-runs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const balanced = async (directory: string): Promise<number> =>
  JSON.parse(await readFile(join(directory, 'summary.json'), 'utf8')).last.balancedAccuracy;

test('a sweep’s results are means and sample standard deviations over the seeds, and the settings that differ', async () => {
  const root = await temporaryFolder();
  const runs = await Promise.all(
    ['ERM', 'Mixup/Remix'].flatMap((method, lift) =>
      [0, 1, 2].map(async (seed) => ({
        directory: await writeSyntheticRun(root, { method, seed, tailLift: lift / 2 }),
        set: ['train.epochs=12', `seed=${seed}`],
      })),
    ),
  );
  const { figures, tags, params } = await sweepResults(runs);
  const values = await Promise.all(runs.slice(3).map(({ directory }) => balanced(directory)));
  const mean = (values[0]! + values[1]! + values[2]!) / 3;
  expect(figures['Mixup-Remix/balanced_accuracy']).toBeCloseTo(mean, 12);
  const sum = values.reduce((all, value) => all + (value - mean) ** 2, 0);
  expect(figures['Mixup-Remix/balanced_accuracy_sd']).toBeCloseTo(Math.sqrt(sum / 2), 12);
  expect(Object.keys(figures).filter((name) => name.startsWith('ERM/'))).toEqual(
    ['balanced_accuracy', 'accuracy', 'many', 'medium', 'few', 'worst_class'].flatMap((name) => [
      `ERM/${name}`,
      `ERM/${name}_sd`,
    ]),
  );
  expect(params).toEqual({ method: 'ERM, Mixup/Remix', seed: '0, 1, 2' });
  expect(Object.keys(tags)).toEqual(['mlflow.note.content']);
  const [, row] = /\| Mixup\/Remix \| 3 \| ([\d.]+ ± [\d.]+) \|/.exec(tags['mlflow.note.content']!)!;
  expect(row).toBe(`${(100 * mean).toFixed(2)} ± ${(100 * Math.sqrt(sum / 2)).toFixed(2)}`);
});

test('runs of two data sets are kept apart; one seed has no standard deviation; no run, no figures', async () => {
  const root = await temporaryFolder();
  const [first, second] = await Promise.all([
    writeSyntheticRun(root, { method: 'ERM', seed: 0, tailLift: 0 }),
    writeSyntheticRun(join(root, 'other'), { method: 'ERM', seed: 0, tailLift: 0, summary: { dataset: 'cifar10' } }),
  ]);
  const { figures } = await sweepResults([first, second].map((directory) => ({ directory, set: [] })));
  expect(figures['digits ERM/balanced_accuracy']).toBe(await balanced(first));
  expect(figures['cifar10 ERM/balanced_accuracy']).toBe(await balanced(second));
  expect(Object.keys(figures).filter((name) => name.endsWith('_sd'))).toEqual([]);
  expect(await sweepResults([])).toEqual({ figures: {}, tags: {}, params: {} });
});
