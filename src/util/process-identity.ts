import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import process from 'node:process';
import { promisify } from 'node:util';
import { isAlive } from '#lock';

/** What tells a process from every other. */
export interface ProcessIdentity {
  host: string;
  /** What pids count in: on Linux the pid namespace, which containers of one host have of their own; null elsewhere. */
  space: string | null;
  pid: number;
  /** When the process started, in the system's words: a later process of the same pid has another. Null: unknown. */
  started: string | null;
}

/** `here`: it runs on this machine; `gone`: it did; `elsewhere`: it cannot be seen from here. */
export type Whereabouts = 'here' | 'gone' | 'elsewhere';

/** This process. */
export const thisProcess = async (): Promise<ProcessIdentity> => ({
  host: hostname(),
  space: await pidSpace(),
  pid: process.pid,
  started: await startOf(process.pid),
});

/** Whether a process still runs, as far as can be seen from here. */
export async function whereaboutsOf({ host, space, pid, started }: ProcessIdentity): Promise<Whereabouts> {
  if (host !== hostname() || space !== (await pidSpace())) return 'elsewhere';
  if (!isAlive(pid)) return 'gone';
  const now = await startOf(pid);
  return now === null || started === null || now === started ? 'here' : 'gone';
}

const pidSpace = (): Promise<string | null> => readlink('/proc/self/ns/pid').catch(() => null);

/** `ended` for a process that is dead and still listed. */
async function startOf(pid: number): Promise<string | null> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (status !== null) {
    // The name of the program comes second, in parentheses, and may contain anything.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? null);
  }
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const listed = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], { env }).catch(() => null);
  return listed?.stdout.trim() || null;
}
