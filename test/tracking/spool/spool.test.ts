import { appendFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { hasSpool, readSpool, readSpoolRun } from '../../../src/tracking/spool/read.ts';
import { type RunRecord, type SpoolRecord, spoolFiles } from '../../../src/tracking/spool/records.ts';
import { openSpool } from '../../../src/tracking/spool/write.ts';
import { messageOfError } from '../../support/message.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const first = (): Omit<RunRecord, 'type' | 'format'> => ({
  time: 1000,
  uid: 'u-1',
  experiment: 'digits',
  name: 'Remix, seed 0',
  tags: { 'mlflow.user': 'me' },
});

function open(directory: string, problems: Error[] = []) {
  const spool = openSpool(directory, first, (error) => problems.push(error));
  onTestFinished(() => spool.close());
  return spool;
}

async function records(directory: string, from = 0): Promise<(SpoolRecord | string)[]> {
  const found: (SpoolRecord | string)[] = [];
  for await (const { record, problem } of readSpool(directory, from)) found.push(record ?? problem!);
  return found;
}

const withoutTimes = (all: (SpoolRecord | string)[]) =>
  all.map((record) => (typeof record === 'string' ? record : { ...record, time: undefined }));

it('keeps what it is told, in order, with its time', async () => {
  const directory = await temporaryFolder();
  expect(hasSpool(directory)).toBe(false);
  const spool = open(directory);
  const before = Date.now();
  spool.params({ 'train.epochs': '2' });
  spool.tags({ 'tailmix.seed': '0' });
  spool.metrics(1, { 'test/accuracy': 0.5, 'train/loss': Number.NaN, up: Infinity }, 5000);
  spool.write({ type: 'artifact', path: 'config.yaml', file: 'config.yaml' });
  spool.write({ type: 'status', status: 'FINISHED', time: 9000 });
  const found = (await records(directory)) as SpoolRecord[];
  expect(found[1]!.time).toBeGreaterThanOrEqual(before);
  expect(found[0]).toEqual({ type: 'run', format: 1, ...first() });
  expect(found.slice(3, 4)).toEqual([
    { type: 'metrics', time: 5000, step: 1, values: { 'test/accuracy': 0.5, 'train/loss': 'NaN', up: 'Infinity' } },
  ]);
  expect(found.at(-1)).toEqual({ type: 'status', status: 'FINISHED', time: 9000 });
  expect(await readSpoolRun(directory)).toEqual(found[0]);
});

it('makes names and values such as a server takes', async () => {
  const directory = await temporaryFolder();
  const spool = open(directory);
  spool.params({ 'top@5': 'x'.repeat(6001), half: 'a\ud83d' });
  spool.metrics(1, { 'acc(many)': 1, 'a//b': 2 });
  spool.metrics(1.5, { never: 1 });
  expect(withoutTimes(await records(directory)).slice(1)).toEqual([
    { type: 'params', values: { top_5: `${'x'.repeat(5999)}…`, half: 'a\ufffd' } },
    { type: 'metrics', step: 1, values: { acc_many_: 1, 'a/_/b': 2 } },
  ]);
});

it('goes on after a crash: the torn line goes, steps that are there are not written again, parameters stay', async () => {
  const directory = await temporaryFolder();
  const spool = open(directory);
  spool.params({ epochs: '4' });
  for (const step of [1, 2, 3]) spool.metrics(step, { loss: 1 / step });
  spool.close();
  const path = join(directory, spoolFiles.spool);
  const whole = await readFile(path, 'utf8');
  await appendFile(path, '{"type":"metrics","time":1,"st');
  expect(await records(directory)).toHaveLength(5);

  const resumed = open(directory);
  expect(resumed).toMatchObject({ isContinued: true, run: { uid: 'u-1' } });
  expect([resumed.last('loss')?.step, resumed.last('other')]).toEqual([3, null]);
  resumed.params({ epochs: '5', more: '1' });
  for (const step of [2, 3, 4]) resumed.metrics(step, { loss: 9, other: 9 });
  expect((await readFile(path, 'utf8')).startsWith(whole)).toBe(true);
  expect(withoutTimes(await records(directory)).slice(5)).toEqual([
    { type: 'params', values: { more: '1' } },
    { type: 'tags', values: { 'resumed.epochs': '5' } },
    { type: 'metrics', step: 2, values: { other: 9 } },
    { type: 'metrics', step: 3, values: { other: 9 } },
    { type: 'metrics', step: 4, values: { loss: 9, other: 9 } },
  ]);
});

it('begins anew where nothing whole was written', async () => {
  const directory = await temporaryFolder();
  open(directory).close();
  await truncate(join(directory, spoolFiles.spool), 10);
  expect(open(directory).isContinued).toBe(false);
  expect(await records(directory)).toHaveLength(1);
});

it('can be read on from any line, beyond a damaged one, and across chunks', async () => {
  const directory = await temporaryFolder();
  const spool = open(directory);
  for (let step = 1; step <= 3; step++) spool.params({ [`p${step}`]: 'é'.repeat(5999) + step });
  await appendFile(join(directory, spoolFiles.spool), '{"type":"nonsense"}\nno JSON\n');
  for (let step = 1; step <= 40; step++) spool.params({ [`q${step}`]: 'é'.repeat(5999) });
  const ends: number[] = [];
  for await (const { end } of readSpool(directory)) ends.push(end);
  expect(ends).toHaveLength(46);
  const all = await records(directory);
  expect(all.filter((record) => typeof record === 'string')).toHaveLength(2);
  for (const [i, end] of ends.entries()) expect(await records(directory, end)).toEqual(all.slice(i + 1));
});

it('is named where it is missing or of something else', async () => {
  const directory = await temporaryFolder();
  expect(await messageOfError(() => readSpoolRun(directory), directory)).toMatchInlineSnapshot(
    `"…: expected mlflow/spool.jsonl, which a run with the plugin \`mlflow\` writes; there is none. Point at the directory of such a run."`,
  );
  await mkdir(join(directory, 'mlflow'));
  await writeFile(join(directory, spoolFiles.spool), '{"type":"status","time":1,"status":"FINISHED"}\n');
  expect(await messageOfError(() => readSpoolRun(directory), directory)).toMatchInlineSnapshot(
    `"…/mlflow/spool.jsonl: expected a run in its first line; it is of type status. The file was changed or is of a newer tailmix; restore or delete it."`,
  );
  expect(await messageOfError(() => open(directory), directory)).toMatchInlineSnapshot(
    `"…/mlflow/spool.jsonl: expected a run in its first line; it is of type status. The file was changed or is of a newer tailmix; restore or delete it."`,
  );
  await writeFile(join(directory, spoolFiles.spool), '');
  expect(await messageOfError(() => readSpoolRun(directory), directory)).toMatchInlineSnapshot(
    `"…/mlflow/spool.jsonl: expected a run in its first line; it is empty. The file was changed or is of a newer tailmix; restore or delete it."`,
  );
});
