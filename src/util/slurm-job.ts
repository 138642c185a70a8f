import { execFile } from 'node:child_process';
import process from 'node:process';
import { promisify } from 'node:util';

/** A job of Slurm, or one task of a job array, in one of its lives. */
export interface SlurmJob {
  /** As `squeue -j` takes it: `41`, or `41_3` for a task of an array. */
  id: string;
  /** How often Slurm had requeued it. */
  restarts: number;
  /** Null where Slurm does not say. */
  cluster: string | null;
  /** Id of the user; null where the system has none. Slurm may hide the jobs of other users. */
  user: number | null;
}

/** Whether a job goes on, and how that is known, as the end of a sentence: `is RUNNING`, `squeue is not here`. */
export interface SlurmAnswer {
  state: 'living' | 'ended' | 'unknown';
  says: string;
}

const ID = /^\d+(_\d+)?$/;

/**
 * The job that this process is part of; null outside of Slurm. A shell of `salloc` on a login node is no part of its job: it goes on
 * when the job ends.
 */
export function thisSlurmJob(env: NodeJS.ProcessEnv = process.env): SlurmJob | null {
  const { SLURM_JOB_ID, SLURM_ARRAY_JOB_ID, SLURM_ARRAY_TASK_ID, SLURM_CLUSTER_NAME, SLURMD_NODENAME } = env;
  const id = SLURM_ARRAY_TASK_ID ? `${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}` : SLURM_JOB_ID;
  if (!SLURMD_NODENAME || id === undefined) return null;
  return readSlurmJob({
    id,
    restarts: Number(env.SLURM_RESTART_COUNT ?? 0),
    cluster: SLURM_CLUSTER_NAME || null,
    user: process.getuid?.() ?? null,
  });
}

/** A job as it was recorded; null for anything else. */
export function readSlurmJob(value: unknown): SlurmJob | null {
  const { id, restarts, cluster, user } = (value ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || !ID.test(id)) return null;
  return {
    id,
    restarts: Number.isSafeInteger(restarts) ? (restarts as number) : 0,
    cluster: typeof cluster === 'string' ? cluster : null,
    user: Number.isSafeInteger(user) ? (user as number) : null,
  };
}

/** States of a job that waits to run, or to run again. */
export const QUEUED: ReadonlySet<string> = new Set(
  'PENDING REQUEUED REQUEUE_HOLD REQUEUE_FED SPECIAL_EXIT RESV_DEL_HOLD'.split(' '),
);
/** States of a job that has a node. */
export const RUNNING: ReadonlySet<string> = new Set(
  'RUNNING CONFIGURING COMPLETING SUSPENDED STOPPED SIGNALING STAGE_OUT'.split(' '),
);
const LIVING = new Set([...QUEUED, ...RUNNING, 'RESIZING', 'POWER_UP_NODE']);
const ENDED = new Set([
  ...['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'DEADLINE', 'PREEMPTED'],
  ...['NODE_FAIL', 'BOOT_FAIL', 'LAUNCH_FAILED', 'OUT_OF_MEMORY'],
]);

/**
 * Asks Slurm whether a job goes on. One that Slurm does not list has ended, where it would list it: on the job's own cluster, and to
 * the job's own user. Needs no accounting.
 *
 * @param timeout - milliseconds for each of two commands
 */
export async function askSlurm(job: SlurmJob, timeout = 10_000): Promise<SlurmAnswer> {
  const own = thisSlurmJob();
  if (own?.id === job.id && own.cluster === job.cluster && own.restarts > job.restarts) {
    return { state: 'ended', says: 'was requeued since' };
  }
  try {
    const cluster =
      process.env.SLURM_CLUSTER_NAME || clusterIn(await answerOf('scontrol', ['show', 'config'], timeout));
    if (job.cluster === null || cluster !== job.cluster) {
      return unknown(`is of the cluster ${job.cluster ?? 'without a name'}, and not of ${cluster}`);
    }
    const listed = await answerOf('squeue', ['-h', '-t', 'all', '-o', '%T', '-j', job.id], timeout);
    const states = [...new Set(listed.split('\n').map((line) => line.trim()))].filter((line) => line !== '');
    if (states.length > 0) return stateOf(states);
  } catch (error) {
    const { message } = error as Error;
    if (!/Invalid job id/i.test(message)) return unknown(`cannot be looked up: ${message}`);
  }
  const user = process.getuid?.() ?? null;
  return user !== null && (user === job.user || user === 0)
    ? { state: 'ended', says: 'is not in the queue any more' }
    : unknown('is not in the queue that Slurm shows to this user');
}

const unknown = (says: string): SlurmAnswer => ({ state: 'unknown', says });

function stateOf(states: readonly string[]): SlurmAnswer {
  const listed = states.join(' and ');
  if (states.every((state) => ENDED.has(state))) return { state: 'ended', says: `ended (${listed})` };
  return { state: states.some((state) => LIVING.has(state)) ? 'living' : 'unknown', says: `is ${listed}` };
}

const clusterIn = (config: string): string =>
  /^ClusterName\s*=\s*(\S+)/m.exec(config)?.[1] ?? 'a cluster without a name';

/** What a command of Slurm writes; rejects with an error of one line. */
export async function answerOf(command: string, args: readonly string[], timeout: number): Promise<string> {
  // What a user has set for `squeue` leaves jobs out.
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^SQUEUE_|^SLURM_(CLUSTERS|BITSTR_LEN|TIME_FORMAT)$/.test(name),
  );
  try {
    const env = { ...Object.fromEntries(kept), LC_ALL: 'C' };
    return (await promisify(execFile)(command, args, { env, timeout, killSignal: 'SIGKILL' })).stdout;
  } catch (error) {
    const { code, killed, stderr } = error as { code?: unknown; killed?: boolean; stderr?: string };
    if (code === 'ENOENT') throw new Error(`there is no ${command} here`);
    if (killed) throw new Error(`${command} gave no answer in ${timeout / 1000} s`);
    throw new Error(`${command} said: ${stderr?.trim().split('\n')[0] || `nothing, and ended with ${code}`}`);
  }
}
