import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { startFakeMlflow } from '../support/fake-mlflow.ts';
import { gone, lockOf } from '../support/locks.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, quickRun, signalAt, start, tailmix } from './run.ts';

// Several processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

async function quickFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  return folder;
}

const summaryOf = async (run: string) => JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));

async function statusesOf(run: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { record } of readSpool(run)) if (record?.type === 'status') found.push(record.status);
  return found;
}

it.each([
  ['SIGINT', 'interrupted'],
  ['SIGTERM', 'terminated'],
  ['SIGHUP', 'the terminal was closed'],
  ['SIGQUIT', 'asked to quit'],
  ['SIGUSR2', 'warned by SIGUSR2'],
] as const)('%s ends a run in good order', async (signal, reason) => {
  const folder = await quickFolder();
  const child = start(folder, 'train', 'run.yaml', '--out', 'a', '--set', 'train.epochs=40');
  signalAt(child, 'epoch 2/40', signal);
  const { code, stderr } = await ended(child);
  expect(code, stderr).toBe(130);
  expect(stderr).toContain(`${reason}: the run ends after this step and can be resumed.`);
  expect(await summaryOf(join(folder, 'a'))).toMatchObject({ status: 'stopped', reason });
  expect(await statusesOf(join(folder, 'a'))).toEqual(['KILLED']);
  expect(existsSync(join(folder, 'a/owner.lock'))).toBe(false);
});

it('Ctrl-C ends a run that reads images, before the next one, and --resume starts it', async () => {
  const folder = await temporaryFolder();
  const photo = join(folder, 'photo.png');
  // Slow to decode: a second is over long before all are.
  await sharp({ create: { width: 3000, height: 2000, channels: 3, background: 'teal' } })
    .png()
    .toFile(photo);
  for (const [split, count] of [
    ['train', 150],
    ['test', 1],
  ] as const) {
    for (const name of ['cats', 'dogs']) {
      await mkdir(join(folder, 'pictures', split, name), { recursive: true });
      for (let i = 0; i < count; i++) await link(photo, join(folder, 'pictures', split, name, `${i}.png`));
    }
  }
  await writeFile(
    join(folder, 'run.yaml'),
    'data: { name: image-folder, root: pictures, imageSize: 8, workers: 0 }\nmodel: { name: mlp, width: 4 }\ntrain: { epochs: 1, step: eager }\n',
  );
  vi.stubEnv('TAILMIX_CACHE', join(folder, 'cache'));
  const child = start(folder, 'train', 'run.yaml', '--out', 'a');
  signalAt(child, 'reading ', 'SIGINT');
  const { code, stderr } = await ended(child);
  expect(code, stderr).toBe(130);
  expect(stderr).toContain(
    'interrupted: the run ended while its images were read, before its first step. tailmix train --resume a goes on with it.\n',
  );
  expect(await readdir(join(folder, 'a'))).toEqual(['config.yaml']);
  const packed = (await readdir(join(folder, 'cache'), { recursive: true })).filter((file) => /pack|tmp/.test(file));
  expect(packed.filter((file) => /\.(pack|tmp)$/.test(file))).toEqual([]);

  await rm(join(folder, 'pictures/train'), { recursive: true });
  for (const name of ['cats', 'dogs']) {
    await mkdir(join(folder, 'pictures/train', name), { recursive: true });
    for (let i = 0; i < 4; i++) await link(photo, join(folder, 'pictures/train', name, `${i}.png`));
  }
  const resumed = await tailmix(folder, 'train', '--resume', 'a');
  expect(resumed.code, resumed.stderr).toBe(0);
  vi.unstubAllEnvs();
});

describe('output that nobody reads ends nothing', () => {
  it.each([['stdout'], ['stderr'], ['stdout', 'stderr']] as const)('%s %s', async (...gone) => {
    const folder = await quickFolder();
    const child = start(folder, 'train', 'run.yaml', '--out', 'a');
    const outcome = ended(child);
    child.stderr!.once('data', () => {
      for (const stream of gone) child[stream as 'stdout']!.destroy();
    });
    const { code, stdout, stderr } = await outcome;
    expect(code, stderr).toBe(0);
    expect(await summaryOf(join(folder, 'a'))).toMatchObject({ status: 'finished' });
    expect(await statusesOf(join(folder, 'a'))).toEqual(['FINISHED']);
    expect(`${stdout}${stderr}`).not.toMatch(/EPIPE|\bat .*:\d+:\d+/);
  });

  const inShell = (folder: string, redirections: string, ...args: string[]) => {
    const command = [process.execPath, resolve('bin/tailmix.mjs'), ...args].map((arg) => `'${arg}'`).join(' ');
    return ended(
      spawn('bash', ['-c', `set -o pipefail; ${command} ${redirections}`], {
        cwd: folder,
        env: { ...process.env, TAILMIX_BACKEND: 'wasm' },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  };

  it.each(['2>&1 | head -2', '>&-', '2>&-', '>&- 2>&-', '>&- 2>/dev/full'])('train %s', async (redirections) => {
    const folder = await quickFolder();
    const { code, stdout, stderr } = await inShell(folder, redirections, 'train', 'run.yaml', '--out', 'a');
    expect(code, stderr).toBe(0);
    expect(await summaryOf(join(folder, 'a'))).toMatchObject({ status: 'finished' });
    expect(`${stdout}${stderr}`).not.toMatch(/EPIPE|\bat .*:\d+:\d+/);
  });

  it('a full disk below standard output is told, and is exit code 1', async () => {
    if (!existsSync('/dev/full')) return;
    const folder = await quickFolder();
    const { code, stderr } = await inShell(folder, '> /dev/full', 'plan', 'run.yaml');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'Next: npx tailmix train run.yaml  # trains it\n' +
        'tailmix: standard output could not be written: ENOSPC: no space left on device, write\n',
    });
  });
});

it('a run whose end cannot be recorded in MLflow whole ends, with its status there', async () => {
  const folder = await quickFolder();
  const fake = await startFakeMlflow();
  vi.stubEnv('MLFLOW_TRACKING_URI', fake.url);
  const child = start(folder, 'train', 'run.yaml', '--out', 'a', '--set', 'train.epochs=6');
  child.stderr!.on('data', (text: Buffer) => {
    // Neither the table of classes nor the report can be written.
    if (String(text).includes('epoch 1/6'))
      for (const file of ['mlflow/per_class.json', 'report/index.html'])
        void mkdir(join(folder, 'a', file), { recursive: true });
  });
  const { code, stderr } = await ended(child);
  vi.unstubAllEnvs();
  expect(code, stderr).toBe(0);
  expect(stderr.match(/The run's end is recorded without it\./g)).toHaveLength(2);
  expect(await statusesOf(join(folder, 'a'))).toEqual(['FINISHED']);
  expect([...fake.store.runs.values()].map(({ status }) => status)).toEqual(['FINISHED']);
  await fake.stop();
});

it('a run with MLflow that loses its directory to another process ends', async () => {
  const folder = await quickFolder();
  const fake = await startFakeMlflow();
  vi.stubEnv('MLFLOW_TRACKING_URI', fake.url);
  const child = start(folder, 'train', 'run.yaml', '--out', 'a', '--set', 'train.epochs=40');
  child.stderr!.on('data', (text: Buffer) => {
    if (String(text).includes('epoch 2/40')) void writeFile(join(folder, 'a/owner.lock'), lockOf(gone()));
  });
  const { code, stderr } = await ended(child);
  vi.unstubAllEnvs();
  expect(code, stderr).toBe(1);
  expect(stderr).toMatch(/a: expected to be its only writer/);
  await fake.stop();
});
