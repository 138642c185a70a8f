import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { ownerFile } from '../../src/tracking/ownership.ts';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { lockOf } from '../support/locks.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, quickRun, start, tailmix } from './run.ts';

// Many processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

async function quickFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  await writeFile(join(folder, 'sweep.yaml'), 'configs: [run.yaml]\nseeds: [0]\n');
  return folder;
}

/** Resolves when a command has told something. */
const told = (child: ChildProcess, text: string): Promise<void> =>
  new Promise((done, fail) => {
    let all = '';
    child.stderr!.on('data', (part: Buffer) => {
      all += part;
      if (all.includes(text)) done();
    });
    child.on('close', () => fail(new Error(`ended without "${text}":\n${all}`)));
  });

const epochsOf = async (run: string): Promise<number[]> =>
  (await readFile(join(run, 'metrics.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { epoch: number }).epoch);

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

it('a run that runs is resumed by nobody else, and goes on as if nobody had tried', async () => {
  const folder = await quickFolder();
  const run = join(folder, 'runs/a');
  const first = start(folder, 'train', 'run.yaml', '--out', 'runs/a', '--set', 'train.epochs=9999');
  const outcome = ended(first);
  await told(first, 'epoch 2/9999');
  for (const args of [
    ['--resume', 'runs/a'],
    ['--resume', 'runs/a', '--take-over'],
    ['run.yaml', '--out', 'runs/a'],
  ]) {
    const { code, stderr } = await tailmix(folder, 'train', ...args);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining(`process ${first.pid} on this machine`),
    });
  }
  first.kill('SIGINT');
  expect((await outcome).code).toBe(130);
  const epochs = await epochsOf(run);
  expect(epochs.length).toBeGreaterThan(2);
  expect(epochs).toEqual(upTo(epochs.length));
  const steps: number[] = [];
  for await (const { record } of readSpool(run))
    if (record?.type === 'metrics' && 'train/loss' in record.values) steps.push(record.step);
  expect(steps).toEqual(epochs);
  expect(existsSync(ownerFile(run))).toBe(false);
});

it('of two runs that want one folder at once, one gets it', async () => {
  const folder = await quickFolder();
  const begin = () => ended(start(folder, 'train', 'run.yaml', '--out', 'runs/a'));
  const [one, two] = await Promise.all([begin(), begin()]);
  expect([one.code, two.code].sort()).toEqual([0, 2]);
  expect(await epochsOf(join(folder, 'runs/a'))).toEqual([1, 2]);
});

it('a killed run is resumed at once; one of another machine only by --take-over', async () => {
  const folder = await quickFolder();
  const run = join(folder, 'runs/a');
  const first = start(folder, 'train', 'run.yaml', '--out', 'runs/a', '--set', 'train.epochs=4');
  const outcome = ended(first);
  await told(first, 'epoch 2/4');
  first.kill('SIGKILL');
  await outcome;
  expect(JSON.parse(await readFile(ownerFile(run), 'utf8'))).toMatchObject({ pid: first.pid, host: hostname() });

  await writeFile(ownerFile(run), lockOf({ host: 'node17', pid: 4242 }));
  const refused = await tailmix(folder, 'train', '--resume', 'runs/a');
  expect({
    code: refused.code,
    stderr: refused.stderr.replace(hostname(), 'HOST').replace(folder, ''),
  }).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "/runs/a: expected a folder that no other process writes to; process 4242 on node17 has owned it since 2026-11-29T17:32:05.000Z. Whether it still runs cannot be seen from here (HOST). If nothing writes to the folder any more, repeat the command with --take-over.
    ",
    }
  `);
  await writeFile(ownerFile(run), lockOf({ pid: first.pid! }));
  expect((await tailmix(folder, 'train', '--resume', 'runs/a')).code).toBe(0);
  expect(await epochsOf(run)).toEqual(upTo(4));
  await writeFile(ownerFile(run), lockOf({ host: 'node17', pid: 4242 }));
  expect((await tailmix(folder, 'train', '--resume', 'runs/a', '--take-over')).code).toBe(0);
  expect(existsSync(ownerFile(run))).toBe(false);
});

it('a sweep that runs is refused to a second one, and what it trains to a run', async () => {
  const folder = await quickFolder();
  const args = ['sweep', 'sweep.yaml', '--set', 'train.epochs=9999'];
  const first = start(folder, ...args);
  const outcome = ended(first);
  await told(first, 'epoch 1 of 9999');
  const second = await tailmix(folder, ...args);
  expect(second).toMatchObject({ code: 2, stderr: expect.stringContaining(`process ${first.pid} on this machine`) });
  const [run] = (await readdir(join(folder, 'runs/sweep'))).filter((name) => name.startsWith('run-'));
  expect((await tailmix(folder, 'train', '--resume', join('runs/sweep', run!))).code).toBe(2);
  first.kill('SIGINT');
  expect((await outcome).code).toBe(130);
  const epochs = await epochsOf(join(folder, 'runs/sweep', run!));
  expect(epochs).toEqual(upTo(epochs.length));
  expect(existsSync(ownerFile(join(folder, 'runs/sweep')))).toBe(false);
});
