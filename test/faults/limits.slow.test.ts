import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { differences, leftBy } from '../kills/left.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { faultyConfig } from './faulty.ts';

const config = faultyConfig({ name: 'limits', workers: 1 });

/** Runs a line of a shell in a folder; `$tailmix` is the command. */
const shell = (folder: string, line: string, ...before: string[]) =>
  spawnSync([...before, 'bash'][0]!, [...before, 'bash', '-c', line].slice(1), {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, TAILMIX_BACKEND: 'wasm', tailmix: `${process.execPath} ${resolve('bin/tailmix.mjs')}` },
  });

async function prepared(): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), config);
  const { status, stderr } = shell(folder, '$tailmix train run.yaml --out whole');
  expect(status, stderr).toBe(0);
  return folder;
}

const hasLimits = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0;
if (!hasLimits) console.warn('SKIPPED: no limit of open files is tried; there is no prlimit.');
const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
if (!canMount) console.warn('SKIPPED: no real disk is full; mounting one takes root.');

test.skipIf(!hasLimits)('64 open files end with what to do, 128 are enough', { timeout: 300_000 }, async () => {
  const folder = await prepared();
  const few = shell(folder, '$tailmix train run.yaml --out few', 'prlimit', '-n64');
  expect(few.status).toBe(1);
  expect(few.stderr).toMatch(/^tailmix: EMFILE: too many open files, .*\. Raise the limit: ulimit -n 1024\.\n$/);
  expect(existsSync(join(folder, 'few'))).toBe(false);
  const enough = shell(folder, '$tailmix train run.yaml --out enough', 'prlimit', '-n128');
  expect(enough.status, enough.stderr).toBe(0);
  expect(differences(await leftBy(join(folder, 'whole')), await leftBy(join(folder, 'enough')))).toEqual([]);
});

describe.skipIf(!canMount)('a disk of its own', { timeout: 300_000 }, () => {
  test('with so much space left ends the run; once there is more, --resume ends equal to the bit', async () => {
    const folder = await prepared();
    for (const left of [12, 28, 44]) {
      const line = `mkdir -p disk && mount -t tmpfs -o size=4m tmpfs disk &&
        head -c ${4096 - left}k /dev/zero > disk/ballast
        $tailmix train run.yaml --out disk/run; echo "full: $?"
        rm disk/ballast
        if [ -e disk/run/config.yaml ]; then $tailmix train --resume disk/run; else $tailmix train run.yaml --out disk/run; fi
        echo "freed: $?"; cp -r disk/run freed-${left}`;
      const { stdout, stderr } = shell(folder, line, 'unshare', '-m');
      expect(stdout, stderr).toContain('full: 1\n');
      expect(stdout, stderr).toContain('freed: 0\n');
      expect(stderr).toContain('ENOSPC');
      expect(stderr).not.toMatch(/internal|\n {4}at /);
      expect(differences(await leftBy(join(folder, 'whole')), await leftBy(join(folder, `freed-${left}`)))).toEqual([]);
    }
  });

  test('/dev/shm that is full changes nothing', async () => {
    const folder = await prepared();
    const line = `mount -t tmpfs -o size=4k tmpfs /dev/shm && (head -c 8k /dev/zero > /dev/shm/full; $tailmix train run.yaml --out run)`;
    const { status, stderr } = shell(folder, line, 'unshare', '-m');
    expect(status, stderr).toBe(0);
    expect(differences(await leftBy(join(folder, 'whole')), await leftBy(join(folder, 'run')))).toEqual([]);
  });
});
