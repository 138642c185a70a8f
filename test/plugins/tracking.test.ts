import { appendFile, mkdir, readdir, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parse } from 'yaml';
import tracking, { metricsLine } from '../../plugins/tracking/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { readEpochs, readSummary } from '../../src/tracking/run-directory.ts';
import { version } from '../../src/version.ts';
import { smallInfo } from '../support/info.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics, evaluation, fakeRun } from '../support/tracked-run.ts';

const hooksOf = () => compose([tracking()], smallInfo()).hooks;

test('leaves the files of a run directory', async () => {
  const directory = await temporaryFolder();
  const run = fakeRun(directory, { config: { name: 'small', plugins: [{ use: 'remix', kappa: Infinity }] } });
  const hooks = hooksOf();
  await hooks.onTrainBegin.promise(run);
  await hooks.onEpochEnd.promise(epochMetrics(1), run);
  await hooks.onEpochEnd.promise(epochMetrics(2, { test: null, validation: evaluation(0.5) }), run);
  await hooks.onTrainEnd.promise(run.summary(), run);
  expect((await readdir(directory)).sort()).toEqual([
    'config.yaml',
    'metrics.jsonl',
    'plan.txt',
    'subset.json',
    'summary.json',
  ]);
  expect(parse(await readFile(join(directory, 'config.yaml'), 'utf8'))).toEqual(run.config);
  expect(await readFile(join(directory, 'plan.txt'), 'utf8')).toBe(run.plan);
  expect(JSON.parse(await readFile(join(directory, 'subset.json'), 'utf8'))).toEqual({
    tailmix: version,
    dataset: 'squares',
    seed: 0,
    hash: 'f00',
    images: { train: 'f01', validation: 'f02', test: 'f03' },
    skipped: 0,
    trainCount: 35,
    validationCount: 8,
    classCounts: [20, 9, 4, 2],
    classes: ['a', 'b', 'c', 'd'],
    imageShape: [8, 8, 3],
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    sha256: expect.stringMatching(/^[\da-f]{64}$/),
  });
  expect(await readEpochs(directory)).toEqual([
    epochMetrics(1, { test: { ...evaluation(0.25), confusion: null } }),
    epochMetrics(2, { test: null, validation: { ...evaluation(0.5), confusion: null } }),
  ]);
  expect(await readSummary(directory)).toEqual(run.summary());
});

test('a resumed run keeps the epochs before its checkpoint to the byte, drops the others, and leaves its config', async () => {
  const directory = await temporaryFolder();
  const path = join(directory, 'metrics.jsonl');
  const hooks = hooksOf();
  const run = fakeRun(directory);
  await hooks.onTrainBegin.promise(run);
  for (const epoch of [1, 2, 3]) await hooks.onEpochEnd.promise(epochMetrics(epoch), run);
  await appendFile(path, '{"epoch":4,"step":1');
  const config = join(directory, 'config.yaml');
  await utimes(config, 1, 1);
  const heard = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  onTestFinished(() => void heard.mockRestore());
  await hooksOf().onTrainBegin.promise({ ...run, resumedFrom: 2, epochs: [1, 2].map((epoch) => epochMetrics(epoch)) });
  expect(await readFile(path, 'utf8')).toBe(metricsLine(epochMetrics(1)) + metricsLine(epochMetrics(2)));
  expect((await stat(config)).mtimeMs).toBe(1000);
  expect(heard).not.toHaveBeenCalled();
});

test('what cannot be added to is named', async () => {
  const directory = await temporaryFolder();
  const run = fakeRun(directory);
  await mkdir(join(directory, 'metrics.jsonl'));
  await expect(hooksOf().onEpochEnd.promise(epochMetrics(1), run)).rejects.toMatchObject({
    code: 'WRITE_FAILED',
    message: expect.stringContaining(`${join(directory, 'metrics.jsonl')}: could not be written (EISDIR`),
  });
});

test('a failed run leaves its summary', async () => {
  const directory = await temporaryFolder();
  const failed = { ...fakeRun(null).summary(), status: 'failed' as const, reason: 'loss is NaN' };
  await hooksOf().onError.promise(new Error('loss is NaN'), fakeRun(directory, { summary: () => failed }));
  expect(await readSummary(directory)).toMatchObject({ status: 'failed', reason: 'loss is NaN' });
});

test('without a run directory nothing is written', async () => {
  const hooks = hooksOf();
  const run = fakeRun(null);
  await hooks.onTrainBegin.promise(run);
  await hooks.onEpochEnd.promise(epochMetrics(1), run);
  await hooks.onTrainEnd.promise(run.summary(), run);
});
