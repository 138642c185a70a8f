import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';
import type { Owner } from '../../src/tracking/ownership.ts';

/** The pid of a process that has ended, and a time when none started. */
export const gone = (): Pick<Owner, 'pid' | 'started'> => ({
  pid: spawnSync(process.execPath, ['--version']).pid,
  started: 'never',
});

function space(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}

/** Text of a lock, of an owner on this machine unless it says otherwise. */
export const lockOf = (owner: Partial<Owner>): string =>
  JSON.stringify({
    host: hostname(),
    space: space(),
    pid: 1,
    job: null,
    started: null,
    since: '2026-11-29T17:32:05.000Z',
    brief: false,
    id: 'another',
    ...owner,
  } satisfies Owner);

/** The message that a promise is refused with, without what differs from machine to machine. */
export const refusalOf = (folder: string, promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    ({ message }: Error) =>
      message
        .replaceAll(folder, 'FOLDER')
        .replaceAll(hostname(), 'HOST')
        .replaceAll(String(process.pid), 'PID')
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME'),
  );
