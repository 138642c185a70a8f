import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ended } from '../cli/run.ts';
import { digits, local, resultOf, train, whenSaid, whyNoCluster } from './support.ts';

if (whyNoCluster !== null) console.warn(`SKIPPED: training in several processes, ${whyNoCluster}`);

const LOCAL = local(2);

describe.skipIf(whyNoCluster !== null)('one run in two processes', { timeout: 600_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailmix-cluster-'));
    for (const [name, text] of [
      ['two.yaml', digits(2, 2)],
      ['four.yaml', digits(1, 4)],
      ['long.yaml', digits(3, 2)],
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
