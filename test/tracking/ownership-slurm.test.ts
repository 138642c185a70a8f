import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { afterEach, expect, test, vi } from 'vitest';
import { isOwned, own, ownerFile } from '../../src/tracking/ownership.ts';
import { fakeSlurm, NO_SUCH_JOB } from '../support/fake-slurm.ts';
import { lockOf, refusalOf } from '../support/locks.ts';
import { temporaryFolder } from '../support/temporary.ts';

afterEach(() => void vi.unstubAllEnvs());

test('an owner elsewhere in a job of Slurm is replaced when the job has ended, and that is said; else it is kept', async () => {
  const folder = await temporaryFolder();
  const user = process.getuid?.() ?? null;
  const lock = lockOf({ host: 'node17', pid: 4242, job: { id: '22_3', restarts: 0, cluster: 'one', user } });
  const told: Record<string, string> = {};
  for (const [what, squeue] of Object.entries({
    living: 'echo RUNNING',
    unknown: 'echo slurm_load_jobs error: Unable to contact slurm controller >&2; exit 1',
  })) {
    await fakeSlurm({ squeue });
    await writeFile(ownerFile(folder), lock);
    told[what] = await refusalOf(folder, own(folder));
    expect(await isOwned(folder)).toBe(true);
    expect(await readFile(ownerFile(folder), 'utf8')).toBe(lock);
    await (await own(folder, { takeOver: true })).release();
  }
  for (const [what, squeue] of Object.entries({ ended: 'echo TIMEOUT', forgotten: NO_SUCH_JOB })) {
    await fakeSlurm({ squeue });
    await writeFile(ownerFile(folder), lock);
    expect(await isOwned(folder)).toBe(false);
    const ownership = await own(folder);
    told[what] = String(ownership.taken).replace(folder, 'FOLDER');
    await ownership.confirm();
    await ownership.release();
  }
  expect(told).toMatchInlineSnapshot(`
    {
      "ended": "FOLDER: its owner was process 4242 on node17, whose Slurm job 22_3 ended (TIMEOUT). Its lock is taken over.",
      "forgotten": "FOLDER: its owner was process 4242 on node17, whose Slurm job 22_3 is not in the queue any more. Its lock is taken over.",
      "living": "FOLDER: expected a folder that no other process writes to; process 4242 on node17 has owned it since TIME. Its Slurm job 22_3 is RUNNING. Wait until the job ends, or end it with \`scancel 22_3\`. If nothing writes to the folder any more, repeat the command with --take-over.",
      "unknown": "FOLDER: expected a folder that no other process writes to; process 4242 on node17 has owned it since TIME. Its Slurm job 22_3 cannot be looked up: squeue said: slurm_load_jobs error: Unable to contact slurm controller. Whether it still runs cannot be seen from here (HOST). If nothing writes to the folder any more, repeat the command with --take-over.",
    }
  `);
});

test('an owner in a job of Slurm is recorded with it', async () => {
  const folder = await temporaryFolder();
  await fakeSlurm({});
  const lockNow = async () => {
    const ownership = await own(folder);
    const { job } = JSON.parse(await readFile(ownerFile(folder), 'utf8'));
    await ownership.release();
    return [job, ownership.taken];
  };
  expect(await lockNow()).toEqual([null, null]);
  for (const [name, value] of Object.entries({
    SLURM_JOB_ID: '25',
    SLURMD_NODENAME: 'n1',
    SLURM_CLUSTER_NAME: 'one',
  }))
    vi.stubEnv(name, value);
  expect(await lockNow()).toEqual([{ id: '25', restarts: 0, cluster: 'one', user: process.getuid?.() ?? null }, null]);
});
