import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trainInChild } from '../../src/sweep/child.ts';
import type { PlannedRun } from '../../src/sweep/expand.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ended = async (script: string): Promise<unknown> => {
  const launcher = join(await temporaryFolder(), 'launcher.mjs');
  await writeFile(launcher, script);
  return trainInChild({ configs: [], set: [], directory: 'run' } as unknown as PlannedRun, {
    launcher,
    resume: false,
    flags: [],
    env: () => ({}),
    signal: new AbortController().signal,
    onProgress() {},
  });
};

test('a run that the system kills says so, behind what it said', async () => {
  expect(await ended("process.stderr.write('begins\\n', () => process.kill(process.pid, 'SIGKILL'));")).toEqual({
    exitCode: null,
    errors:
      'begins\n\nthe process of the run was ended by SIGKILL, as the system does when memory runs out (then fewer --jobs, or a smaller batch, help); the same command continues it.',
  });
  expect(await ended("process.kill(process.pid, 'SIGABRT');")).toEqual({
    exitCode: null,
    errors: 'the process of the run was ended by SIGABRT; the same command continues it.',
  });
});

test('a run that ends by itself has its own words alone', async () => {
  expect(await ended("process.stderr.write('no\\n'); process.exitCode = 3;")).toEqual({ exitCode: 3, errors: 'no' });
});
