import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeAddresses } from '../../src/cli/launch.ts';
import { ended } from '../cli/run.ts';
import { writePicture, writeTree } from '../support/image-tree.ts';
import { clusterEnv, digits, local, resultOf, train, trainIn, whenSaid, whyNoCluster } from './support.ts';

if (whyNoCluster !== null) console.warn(`SKIPPED: training in several processes, ${whyNoCluster}`);

const LOCAL = local(2);
const AS_WORKER = ['--cluster', '--open-network', '--workers'];

/** The first time that a run comes to one of these steps, a rate at which every weight becomes infinite. */
const leap = `import { definePlugin, z } from 'tailmix';
export default definePlugin({
  name: 'leap',
  options: z.strictObject({ at: z.array(z.int()) }),
  apply({ hooks }, { at }) {
    const left = new Set(at);
    hooks.computeLearningRate.tap('leap', (rate, { step, rehearsal }) => (!rehearsal && left.delete(step) ? 1e39 : rate));
  },
});
`;
const diverging = digits(4, 2)
  .replace('replicas: 2', 'replicas: 2, onNaN: rollback')
  .replace('[{ use: mixup }', '[{ use: ./leap.mjs, at: [10, 80] }, { use: mixup }');

describe.skipIf(whyNoCluster !== null)('one run in two processes', { timeout: 600_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailmix-cluster-'));
    for (const [name, text] of [
      ['four.yaml', digits(1, 4)],
      ['long.yaml', digits(16, 2)],
      ['diverging.yaml', diverging],
      ['leap.mjs', leap],
    ] as const)
      await writeFile(join(folder, name), text);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('of two replicas each is, to the bit, the run of one process', async () => {
    const one = await ended(train(folder, 'four.yaml', '--out', 'four-one'));
    expect(one.stderr).not.toContain('cluster');
    expect(one.code, one.stderr).toBe(0);
    const both = await ended(train(folder, 'four.yaml', '--out', 'four-both', ...LOCAL));
    expect(both.code, both.stderr).toBe(0);
    expect(both.stderr).toMatch(/^cluster {17}2 processes of 2 replicas, by --workers: 127/m);
    expect(await resultOf(join(folder, 'four-both'))).toEqual(await resultOf(join(folder, 'four-one')));
  });

  test('a process that is killed is named, all end, and all are started again from the checkpoint', async () => {
    expect((await ended(train(folder, 'long.yaml', '--out', 'long-one'))).code).toBe(0);
    const child = train(folder, 'long.yaml', '--out', 'killed', ...LOCAL, '--restarts', '1');
    whenSaid(child, /epoch 1\/16/, (pid) => process.kill(pid(1), 'SIGKILL'));
    const { code, stderr } = await ended(child);
    expect(stderr).toMatch(
      /cluster, rank 0: rank 1 \(127\.0\.0\.1:\d+\) is gone: nobody listens at its port\. Start all/,
    );
    expect(stderr).toContain('cluster: starts all 2 processes again (1 of at most 1)');
    expect(code, stderr).toBe(0);
    expect(await resultOf(join(folder, 'killed'))).toEqual(await resultOf(join(folder, 'long-one')));
  });

  test('a run that diverges goes back in all processes, to its beginning and to a checkpoint', async () => {
    const one = await ended(train(folder, 'diverging.yaml', '--out', 'diverging-one'));
    expect(one.code, one.stderr).toBe(0);
    const both = await ended(train(folder, 'diverging.yaml', '--out', 'diverging-both', ...LOCAL));
    expect(both.code, both.stderr).toBe(0);
    expect(both.stderr.match(/The run goes back to epoch \d/g)).toEqual(
      [0, 2].map((n) => `The run goes back to epoch ${n}`),
    );
    const rollbacksOf = async (run: string): Promise<unknown> =>
      (JSON.parse(await readFile(join(folder, run, 'summary.json'), 'utf8')) as { rollbacks: unknown }).rollbacks;
    expect(await rollbacksOf('diverging-both')).toEqual(await rollbacksOf('diverging-one'));
    expect(await resultOf(join(folder, 'diverging-both'))).toEqual(await resultOf(join(folder, 'diverging-one')));
  });

  test('a process with another pixel is refused, and all end', async () => {
    for (const [name, change] of [
      ['ours', false],
      ['theirs', true],
    ] as const) {
      await writeTree(join(folder, name), { train: { ant: 4, bee: 4 }, test: { ant: 1, bee: 1 } });
      if (change) await writePicture(join(folder, name, 'train/bee/2.png'), 99);
      const data = `{ name: image-folder, root: ${name}, imageSize: 8 }`;
      const run = digits(1, 2)
        .replace(/data: .*/, `data: ${data}`)
        .replace('batchSize: 64', 'batchSize: 4');
      await writeFile(join(folder, `${name}.yaml`), run);
    }
    const workers = (await freeAddresses(2)).join(',');
    const flags = (rank: number) => ['--out', 'differs', ...AS_WORKER, workers, '--worker', String(rank)];
    const both = await Promise.all(
      ['ours.yaml', 'theirs.yaml'].map((config, rank) => ended(train(folder, config, ...flags(rank)))),
    );
    for (const { code, stderr } of both) {
      expect(stderr).toMatch(
        /cluster: expected the same training images in all processes; rank 0 .* has \w{64}, rank 1 /,
      );
      expect(code, stderr).toBe(2);
    }
  });

  test('a process that is stopped is noticed by the time limit', async () => {
    const env = { ...clusterEnv, TAILMIX_CLUSTER_TIMEOUT: '6' };
    const child = trainIn(folder, env, 'long.yaml', '--out', 'stopped', ...LOCAL);
    let stopped = 0;
    whenSaid(child, /epoch 1\/16/, (pid) => {
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
    whenSaid(child, /epoch 1\/16/, (pid) => process.kill(pid(1), 'SIGTERM'));
    const { code, stderr } = await ended(child);
    expect(code, stderr).toBe(130);
    const summary = JSON.parse(await readFile(join(folder, 'terminated', 'summary.json'), 'utf8')) as object;
    expect(summary).toMatchObject({ status: 'stopped', reason: 'rank 1 was asked to stop' });
    // The same command goes on with it.
    expect((await ended(train(folder, 'long.yaml', '--out', 'terminated', ...LOCAL))).code).toBe(0);
    expect(await resultOf(join(folder, 'terminated'))).toEqual(await resultOf(join(folder, 'long-one')));
  });
});
