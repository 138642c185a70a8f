import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasClusterModule } from '../../src/backend/cluster-module.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { checkpointFolder } from '../../src/tracking/checkpoint.ts';
import { ended } from '../cli/run.ts';

const absent = whyNotNative('native') ?? (hasClusterModule() ? null : 'native/cluster.cc is not compiled');
if (absent !== null) console.warn(`SKIPPED: training in several processes, ${absent}`);

const config = (epochs: number, replicas: number): string => `name: digits
data: { name: digits, profile: exp, ratio: 100 }
model: { name: small-cnn }
train: { epochs: ${epochs}, batchSize: 64, dropLast: true, replicas: ${replicas} }
plugins: [{ use: mixup }, { use: remix }]
`;

const LOCAL = ['--cluster', '--local', '2', '--open-network'];

/** One thread for each kernel: the number of threads decides bits. */
const train = (folder: string, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [resolve('bin/tailmix.mjs'), 'train', ...args], {
    cwd: folder,
    env: { ...process.env, TAILMIX_BACKEND: 'native', TAILMIX_THREADS: '1', TAILMIX_CLUSTER_TIMEOUT: '20' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** Metrics without times, and the bytes of the last checkpoint's arrays. */
async function resultOf(directory: string) {
  const lines = (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const metrics = lines.map((line) => {
    const { seconds: _, waitSeconds: __, imagesPerSecond: ___, ...rest } = JSON.parse(line) as Record<string, unknown>;
    return rest;
  });
  const checkpoints = (await readdir(checkpointFolder(directory))).sort();
  const file = await readFile(join(checkpointFolder(directory), checkpoints.at(-1)!));
  return { metrics, checkpoints, arrays: file.subarray(8 + Number(file.readBigUInt64LE(0))).toString('base64') };
}

/** Calls `then` with the process that a line of standard error names, once another line is there. */
function whenSaid(child: ChildProcess, text: RegExp, then: (pid: (rank: number) => number) => void): void {
  let said = '';
  child.stderr!.on('data', function look(part: Buffer) {
    said += part;
    if (!text.test(said)) return;
    child.stderr!.off('data', look);
    then((rank) => Number(new RegExp(`rank ${rank} of \\d \\(process (\\d+)\\)`).exec(said)![1]));
  });
}

describe.skipIf(absent !== null)('one run in two processes', { timeout: 600_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailmix-cluster-'));
    for (const [name, text] of [
      ['two.yaml', config(2, 2)],
      ['four.yaml', config(1, 4)],
      ['long.yaml', config(3, 2)],
    ] as const)
      await writeFile(join(folder, name), text);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(['two', 'four'])('is, to the bit, the run of one process: %s replicas', async (name) => {
    const one = await ended(train(folder, `${name}.yaml`, '--out', `${name}-one`));
    expect(one.stderr).not.toContain('cluster');
    expect(one.code, one.stderr).toBe(0);
    const both = await ended(train(folder, `${name}.yaml`, '--out', `${name}-both`, ...LOCAL));
    expect(both.code, both.stderr).toBe(0);
    expect(both.stderr).toMatch(/^cluster {17}2 processes of [12] replicas, by --workers: 127/m);
    expect(await resultOf(join(folder, `${name}-both`))).toEqual(await resultOf(join(folder, `${name}-one`)));
  });

  test('a process that is killed is named, all end, and all are started again from the checkpoint', async () => {
    expect((await ended(train(folder, 'long.yaml', '--out', 'long-one'))).code).toBe(0);
    const child = train(folder, 'long.yaml', '--out', 'killed', ...LOCAL, '--restarts', '1');
    whenSaid(child, /epoch 1\/3/, (pid) => process.kill(pid(1), 'SIGKILL'));
    const { code, stderr } = await ended(child);
    expect(stderr).toMatch(
      /cluster, rank 0: rank 1 \(127\.0\.0\.1:\d+\) is gone: nobody listens at its port\. Start all/,
    );
    expect(stderr).toContain('cluster: starts all 2 processes again (1 of at most 1)');
    expect(code, stderr).toBe(0);
    expect(await resultOf(join(folder, 'killed'))).toEqual(await resultOf(join(folder, 'long-one')));
  });

  test('a process that is stopped is noticed by the time limit', async () => {
    const child = train(folder, 'long.yaml', '--out', 'stopped', ...LOCAL);
    let stopped = 0;
    whenSaid(child, /epoch 1\/3/, (pid) => {
      stopped = pid(0);
      // In the middle of an epoch: at its end, the others wait longer.
      setTimeout(() => process.kill(stopped, 'SIGSTOP'), 500);
    });
    const { code, stderr } = await ended(child);
    expect(stderr).toMatch(
      /cluster, rank 1: rank 0 \(127\.0\.0\.1:\d+\) does not answer: it is stopped, or the network/,
    );
    expect(code, stderr).toBe(75);
  });

  test('SIGTERM of one ends all after the same step, and the run can be resumed', async () => {
    const child = train(folder, 'long.yaml', '--out', 'terminated', ...LOCAL);
    whenSaid(child, /epoch 1\/3/, (pid) => process.kill(pid(1), 'SIGTERM'));
    const { code, stderr } = await ended(child);
    expect(code, stderr).toBe(130);
    const summary = JSON.parse(await readFile(join(folder, 'terminated', 'summary.json'), 'utf8')) as object;
    expect(summary).toMatchObject({ status: 'stopped', reason: 'rank 1 was asked to stop' });
    // The same command goes on with it.
    expect((await ended(train(folder, 'long.yaml', '--out', 'terminated', ...LOCAL))).code).toBe(0);
    expect(await resultOf(join(folder, 'terminated'))).toEqual(await resultOf(join(folder, 'long-one')));
  });
});
