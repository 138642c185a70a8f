import process from 'node:process';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { askSlurm, readSlurmJob, type SlurmJob, thisSlurmJob } from '../../src/util/slurm-job.ts';
import { fakeSlurm, NO_SUCH_JOB } from '../support/fake-slurm.ts';

afterEach(() => void vi.unstubAllEnvs());

const user = process.getuid?.() ?? null;
const job: SlurmJob = { id: '22_3', restarts: 0, cluster: 'one', user };
const inJob = { SLURM_JOB_ID: '25', SLURMD_NODENAME: 'n1', SLURM_CLUSTER_NAME: 'one' };
const inTask = { ...inJob, SLURM_ARRAY_JOB_ID: '22', SLURM_ARRAY_TASK_ID: '3' };

test('a job is known by its number, a task of an array by that of the array and its own', () => {
  expect(thisSlurmJob(inJob)).toEqual({ ...job, id: '25' });
  // Slurm gives the last task the number of its array.
  expect(thisSlurmJob({ ...inTask, SLURM_JOB_ID: '22' })).toEqual(job);
  expect(thisSlurmJob({ ...inTask, SLURM_RESTART_COUNT: '2' })).toEqual({ ...job, restarts: 2 });
});

test('no job: outside of Slurm, and a shell of salloc on a login node, which outlives its job', () => {
  const { SLURMD_NODENAME: _, ...login } = inJob;
  expect([thisSlurmJob({}), thisSlurmJob(login)]).toEqual([null, null]);
});

test('only what can be the number of a job is read from a record', () => {
  expect(readSlurmJob(job)).toEqual(job);
  for (const value of [undefined, null, 7, 'text', {}, { ...job, id: 22 }, { ...job, id: '-a' }, { ...job, id: '1,2' }])
    expect(readSlurmJob(value)).toBe(null);
  expect(readSlurmJob({ id: '22', restarts: 'x', cluster: 7 })).toEqual({
    id: '22',
    restarts: 0,
    cluster: null,
    user: null,
  });
});

describe('what Slurm says of a job', () => {
  test.each([
    ['RUNNING', { state: 'living', says: 'is RUNNING' }],
    ['PENDING', { state: 'living', says: 'is PENDING' }],
    ['COMPLETING', { state: 'living', says: 'is COMPLETING' }],
    ['COMPLETED', { state: 'ended', says: 'ended (COMPLETED)' }],
    ['NODE_FAIL', { state: 'ended', says: 'ended (NODE_FAIL)' }],
    ['COMPLETED\nRUNNING', { state: 'living', says: 'is COMPLETED and RUNNING' }],
    ['REVOKED', { state: 'unknown', says: 'is REVOKED' }],
  ])('%s', async (listed, expected) => {
    await fakeSlurm({ squeue: `[ "$*" = '-h -t all -o %T -j 22_3' ] && echo '${listed}'` });
    expect(await askSlurm(job)).toEqual(expected);
  });

  test('a job that it does not list has ended: the number is unknown, or only other tasks are left', async () => {
    for (const squeue of [NO_SUCH_JOB, 'exit 0']) {
      await fakeSlurm({ squeue });
      expect(await askSlurm(job)).toEqual({ state: 'ended', says: 'is not in the queue any more' });
    }
  });

  test('unless it may hide it: a job of another user, of another cluster, of none', async () => {
    await fakeSlurm({ squeue: NO_SUCH_JOB });
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    const says = [{ user: 1001 }, { user: null }, { cluster: 'two' }, { cluster: null }].map(
      async (other) => await askSlurm({ ...job, user: 1000, ...other }),
    );
    expect(await Promise.all(says)).toEqual([
      { state: 'unknown', says: 'is not in the queue that Slurm shows to this user' },
      { state: 'unknown', says: 'is not in the queue that Slurm shows to this user' },
      { state: 'unknown', says: 'is of the cluster two, and not of one' },
      { state: 'unknown', says: 'is of the cluster without a name, and not of one' },
    ]);
    expect((await askSlurm({ ...job, user: 1000 })).state).toBe('ended');
    vi.restoreAllMocks();
  });

  test('what a user has set for squeue hides none', async () => {
    await fakeSlurm({ squeue: 'env | grep -q "^SQUEUE_\\|^SLURM_CLUSTERS" || echo RUNNING' });
    vi.stubEnv('SQUEUE_PARTITION', 'other');
    vi.stubEnv('SLURM_CLUSTERS', 'other');
    expect((await askSlurm(job)).state).toBe('living');
  });

  test('nothing: no Slurm here, a controller that does not answer, one that is down, an answer that is none', async () => {
    const says: string[] = [];
    for (const squeue of [
      'sleep 60',
      'echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1',
      'exit 3',
    ]) {
      await fakeSlurm({ squeue });
      says.push(JSON.stringify(await askSlurm(job, 300)));
    }
    await fakeSlurm({});
    vi.stubEnv('PATH', '/nowhere');
    says.push(JSON.stringify(await askSlurm(job)));
    expect(says).toMatchInlineSnapshot(`
      [
        "{"state":"unknown","says":"cannot be looked up: squeue gave no answer in 0.3 s"}",
        "{"state":"unknown","says":"cannot be looked up: squeue said: slurm_load_jobs error: Unable to contact slurm controller (connect failure)"}",
        "{"state":"unknown","says":"cannot be looked up: squeue said: nothing, and ended with 3"}",
        "{"state":"unknown","says":"cannot be looked up: there is no scontrol here"}",
      ]
    `);
  });

  test('a job that was requeued is over in its life before, in its own eyes alone', async () => {
    await fakeSlurm({ squeue: 'echo RUNNING' });
    for (const [name, value] of Object.entries({ ...inTask, SLURM_RESTART_COUNT: '1' })) vi.stubEnv(name, value);
    expect(await askSlurm(job)).toEqual({ state: 'ended', says: 'was requeued since' });
    expect((await askSlurm({ ...job, restarts: 1 })).state).toBe('living');
    expect((await askSlurm({ ...job, id: '22_4' })).state).toBe('living');
  });
});
