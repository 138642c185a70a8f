import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences, type Left, leftBy } from '../kills/left.ts';
import { startFakeMlflow } from '../support/fake-mlflow.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { compileShim, type Fault, type Faulty, faultyConfig, type Outcome, startFaulty } from './faulty.ts';

const config = faultyConfig({ name: 'faults' });

const shim = compileShim('no disk fails in a run');

describe.skipIf(shim === null)('a disk that fails at each call of a run in turn', { timeout: 600_000 }, () => {
  const folder = inTemporaryFolder();
  let faulty: Faulty;
  let whole: Left;
  const faultOf = (fault: Omit<Fault, 'folder'>, out = 'run'): Fault => ({ folder: join(folder(), out), ...fault });
  const trainNew = ['train', 'run.yaml', '--out', 'run'];

  beforeAll(async () => {
    await writeFile(join(folder(), 'run.yaml'), config);
    faulty = await startFaulty(folder(), shim!);
    expect(await faulty.run(['train', 'run.yaml', '--out', 'whole'])).toMatchObject({ code: 0 });
    whole = await leftBy(join(folder(), 'whole'));
  });
  afterAll(() => faulty.stop());

  /** What does not hold of a run with a fault, and of its resume without. */
  async function problemsOf(outcome: Outcome): Promise<string[]> {
    const problems: string[] = [];
    const { code, stderr } = outcome;
    if (/internal|\n {4}at /.test(stderr)) problems.push('a stack, or a fault of tailmix');
    if (code !== 0 && !(code === 1 && /could not be|cannot be/.test(stderr))) problems.push(`no clear end (${code})`);
    if (code !== 0 || /train --resume/.test(stderr)) {
      const isBegun = existsSync(join(folder(), 'run/config.yaml'));
      const resumed = await faulty.run(isBegun ? ['train', '--resume', 'run'] : trainNew);
      if (resumed.code !== 0) problems.push(`not resumed: ${resumed.stderr}`);
    }
    const left = await leftBy(join(folder(), 'run')).catch((error: Error) => error.message);
    if (typeof left === 'string') problems.push(left);
    else problems.push(...differences(whole, left));
    return problems.length === 0 ? [] : [`${outcome.first}: ${problems.join('; ')}\n${stderr}`];
  }

  test.each([
    ['is full from then on', { error: 'ENOSPC' }],
    ['fails once', { error: 'EIO', lasting: false }],
    ['fails once to be read', { error: 'EIO', lasting: false, calls: 'reads' }],
  ] as const)('a disk that %s loses nothing, and --resume ends equal to the bit', async (name, fault) => {
    const problems: string[] = [];
    for (let at = 1; ; at++) {
      await rm(join(folder(), 'run'), { recursive: true, force: true });
      const outcome = await faulty.run(trainNew, faultOf({ at, ...fault }));
      if (outcome.failed === 0) {
        console.log(`a disk that ${name}: ${at - 1} calls failed`);
        expect(at).toBeGreaterThan(20);
        break;
      }
      problems.push(...(await problemsOf(outcome)));
    }
    expect(problems.join('\n')).toBe('');
  });

  test('a full disk leaves no run RUNNING in MLflow, and the resumed run has each point once', async () => {
    const fake = await startFakeMlflow();
    const sending = await startFaulty(folder(), shim!, { MLFLOW_TRACKING_URI: fake.url });
    const told: string[] = [];
    let ended = 0;
    // The server has the run before its first step.
    const required = [...trainNew, '--set', 'plugins.mlflow.required=true'];
    try {
      // From the spool's first line to behind its last one.
      for (let at = 24; ; at += 14) {
        await rm(join(folder(), 'run'), { recursive: true, force: true });
        fake.store.runs.clear();
        const { code, failed, first, stderr } = await sending.run(required, faultOf({ at, error: 'ENOSPC' }));
        const statuses = [...fake.store.runs.values()].map(({ status }) => status);
        // Where the disk was full before the server was asked, the run has ended without it.
        if (statuses.length > 0) ended++;
        if (statuses.some((status) => status !== (code === 0 ? 'FINISHED' : 'FAILED')))
          told.push(`${first}: ${code}, ${statuses}\n${stderr}`);
        const resumed = await sending.run(['train', '--resume', 'run']);
        const runs = [...fake.store.runs.values()];
        const points = runs.flatMap(({ points }) => points.map(({ key, step }) => `${key} ${step}`));
        if (resumed.code !== 0 || runs.length !== 1 || runs[0]!.status !== 'FINISHED')
          told.push(`${first}, resumed: ${resumed.code}, ${runs.map(({ status }) => status)}\n${resumed.stderr}`);
        if (new Set(points).size !== points.length || !points.includes('final/accuracy 0'))
          told.push(`${first}, resumed: ${points.length} points, ${new Set(points).size} of them different`);
        if (failed === 0) break;
      }
      console.log(`a full disk, with a server: ${ended} runs with their end there`);
      expect(told.join('\n')).toBe('');
      expect(ended).toBeGreaterThan(5);
    } finally {
      sending.stop();
      await fake.stop();
    }
  });
});
