import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { writeFileAtomic } from '../tracking/write-file.ts';
import { answerOf, QUEUED, RUNNING } from '../util/slurm-job.ts';
import { frozenDamaged, slurmRefused } from './errors.ts';
import { frozenFolder } from './frozen.ts';

const submission = z.object({
  /** Of the array. */
  job: z.string(),
  /** Of its tasks, in order. */
  runs: z.array(z.string()),
});

/** A job array that was submitted. */
export type Submission = z.output<typeof submission>;

/** What Slurm says of the job of a run. */
export interface SlurmTask {
  /** `41_3`. */
  job: string;
  /** As `squeue` has it; null for a job that is not listed any more. */
  state: string | null;
  reason: string | null;
  node: string | null;
  /** What it has written. */
  log: string;
}

/** Folder of scripts and logs. */
export const logsFolder = (out: string): string => join(frozenFolder(out), 'slurm');
const recordFile = (out: string): string => join(logsFolder(out), 'jobs.json');

/** All arrays of a sweep, in order. */
export async function readSubmissions(out: string): Promise<Submission[]> {
  const path = recordFile(out);
  if (!existsSync(path)) return [];
  try {
    return z.array(submission).parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw frozenDamaged(path, messageOf(error), error);
  }
}

/** Submits a script, which is kept, and returns the id of its job. */
export async function sbatch(path: string, script: string, flags: readonly string[] = []): Promise<string> {
  await writeFileAtomic(path, script);
  const answer = await ask('sbatch', ['--parsable', ...flags, path]);
  // `41;cluster` where there are several clusters.
  return answer.trim().split(';')[0]!;
}

/** Remembers which runs an array has. */
export async function record(out: string, added: Submission): Promise<void> {
  await writeFileAtomic(recordFile(out), `${JSON.stringify([...(await readSubmissions(out)), added], null, 2)}\n`);
}

/** The most tasks that an array may have. Slurm's default where it cannot be asked. */
export async function maxArraySize(): Promise<number> {
  const config = await answerOf('scontrol', ['show', 'config'], TIMEOUT_MS).catch(() => '');
  return Number(/^MaxArraySize\s*=\s*(\d+)/m.exec(config)?.[1] ?? 1001);
}

/** The newest job of each run that has one, by the run's id. */
export async function tasksOf(out: string): Promise<Map<string, SlurmTask>> {
  const submissions = await readSubmissions(out);
  const listed = submissions.length === 0 ? new Map() : await queue(submissions.map(({ job }) => job));
  return new Map(
    submissions.flatMap(({ job, runs }) =>
      runs.map((id, place) => {
        const name = `${job}_${place}`;
        const log = join(logsFolder(out), `${name}.log`);
        return [id, { job: name, state: null, reason: null, node: null, ...listed.get(name), log }] as const;
      }),
    ),
  );
}

/** Whether a job waits to run, or to run again. */
export const isQueued = ({ state }: SlurmTask): boolean => state !== null && QUEUED.has(state);
export const isRunning = ({ state }: SlurmTask): boolean => state !== null && RUNNING.has(state);

type Listed = Pick<SlurmTask, 'state' | 'reason' | 'node'>;

async function queue(jobs: readonly string[]): Promise<Map<string, Listed>> {
  const flags = ['--noheader', '--array', '--states=all', '--format=%i|%T|%r|%N', `--jobs=${jobs.join()}`];
  const text = await ask('squeue', flags, (message) => /Invalid job id/i.test(message));
  return new Map(
    text.split('\n').flatMap((line) => {
      const [id = '', state, reason, node] = line.trim().split('|');
      return id === '' ? [] : [[id, { state: state!, reason: reason || null, node: node || null }] as const];
    }),
  );
}

const TIMEOUT_MS = 60_000;

/** What a command of Slurm writes; nothing where what it says means that there is nothing. */
const ask = (command: string, args: readonly string[], isNothing = (_: string): boolean => false): Promise<string> =>
  answerOf(command, args, TIMEOUT_MS).catch((error: unknown) => {
    if (isNothing(messageOf(error))) return '';
    throw slurmRefused(command, messageOf(error));
  });
