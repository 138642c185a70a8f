import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { vi } from 'vitest';
import { temporaryFolder } from './temporary.ts';

/** What Slurm 22.05 says of a job that it does not list. */
export const NO_SUCH_JOB = 'echo slurm_load_jobs error: Invalid job id specified >&2; exit 1';

/**
 * Puts programs in front of PATH for the rest of the test, and leaves the job that the test may run in.
 *
 * @param programs - lines of shell by the program's name
 */
export async function fakeSlurm(programs: Record<string, string>): Promise<void> {
  for (const name of Object.keys(process.env)) if (/^(SLURM|SQUEUE)/.test(name)) vi.stubEnv(name, undefined);
  const folder = join(await temporaryFolder(), 'bin');
  await mkdir(folder);
  for (const [name, script] of Object.entries({
    scontrol: 'echo "Configuration data as of 2026-11-30T17:05:00"; echo "ClusterName             = one"',
    ...programs,
  })) {
    const file = join(folder, name);
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
  }
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
}
