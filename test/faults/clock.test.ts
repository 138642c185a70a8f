import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { differences, leftBy } from '../kills/left.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { compileShim, faultyConfig, startFaulty } from './faulty.ts';

const config = faultyConfig({
  name: 'clock',
  epochs: 3,
  plugins: '{ use: mixup }, { use: mlflow, every: 1 }, { use: checkpoint, keep: 3 }',
});

const shim = compileShim('no clock is set back');

describe.skipIf(shim === null)('a clock that is set back', () => {
  test('by a day and a year changes no figure, and nothing ends before it began', { timeout: 300_000 }, async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'run.yaml'), config);
    const faulty = await startFaulty(folder, shim!);
    try {
      expect(await faulty.run(['train', 'run.yaml', '--out', 'whole'])).toMatchObject({ code: 0 });
      const run = join(folder, 'run');
      // The disk fails after the first checkpoint, later than the clock says when the run goes on.
      const fault = { folder: run, at: 60, error: 'ENOSPC' } as const;
      expect(await faulty.run(['train', 'run.yaml', '--out', 'run'], fault)).toMatchObject({ code: 1 });
      faulty.setBack(86_400);
      const again = { folder: run, at: 60, error: 'ENOSPC' } as const;
      expect(await faulty.run(['train', '--resume', 'run'], again)).toMatchObject({ code: 1 });
      faulty.setBack(365 * 86_400);
      const { code, stderr } = await faulty.run(['train', '--resume', 'run']);
      expect(code, stderr).toBe(0);
      expect(stderr).not.toMatch(/-\d+ s|NaN/);
      expect(differences(await leftBy(join(folder, 'whole')), await leftBy(run))).toEqual([]);
      const times: number[] = [];
      for await (const { record } of readSpool(run)) if (record) times.push(record.time);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      // All that came after the clock was set back has the time of the last line before.
      expect(times.at(-1)).toBe(times.at(-20));
      const { seconds } = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
      expect(seconds).toBeGreaterThan(0);
    } finally {
      faulty.stop();
    }
  });
});
