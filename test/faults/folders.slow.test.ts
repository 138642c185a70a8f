import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences, type Left, leftBy } from '../kills/left.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { compileShim, type Fault, type Faulty, faultyConfig, startFaulty } from './faulty.ts';

const config = faultyConfig({ name: 'folders' });

const shim = compileShim('no folder of a run goes away');

describe.skipIf(shim === null)('the folder of a run', { timeout: 600_000 }, () => {
  const folder = inTemporaryFolder();
  let faulty: Faulty;
  let whole: Left;
  const at = (name: string): string => join(folder(), name);

  beforeAll(async () => {
    await writeFile(at('run.yaml'), config);
    faulty = await startFaulty(folder(), shim!);
    expect(await faulty.run(['train', 'run.yaml', '--out', 'whole'])).toMatchObject({ code: 0 });
    whole = await leftBy(at('whole'));
  });
  afterAll(() => faulty.stop());

  test.each([
    ['is moved away', 7, { error: 'vanish', calls: 'all' }],
    ['is read-only', 3, { error: 'EROFS', calls: 'byName' }],
    ['may not be read or written', 7, { error: 'EACCES', calls: 'all' }],
  ] as const)(
    'that %s from any call on ends it with one message, and once it is back, --resume ends equal to the bit',
    async (name, few, fault: Omit<Fault, 'folder' | 'at'>) => {
      const problems: string[] = [];
      const every = Number(process.env.TAILMIX_FAULTS_EVERY ?? few);
      let tried = 0;
      for (let call = 1; ; call += every) {
        for (const left of ['run', 'run.gone']) await rm(at(left), { recursive: true, force: true });
        const outcome = await faulty.run(['train', 'run.yaml', '--out', 'run'], {
          ...fault,
          folder: at('run'),
          at: call,
        });
        const { code, stderr, first, failed } = outcome;
        if (failed === 0) {
          console.log(`a folder that ${name}: ${tried} calls`);
          expect(tried).toBeGreaterThan(7);
          break;
        }
        tried++;
        if (/internal|\n {4}at /.test(stderr))
          problems.push(`${call} ${first}: a stack, or a fault of tailmix\n${stderr}`);
        if (existsSync(at('run.gone'))) {
          if (existsSync(at('run'))) {
            problems.push(`${call} ${first}: made again\n${stderr}`);
            await rm(at('run'), { recursive: true });
          }
          await rename(at('run.gone'), at('run'));
        }
        const isBegun = existsSync(at('run/config.yaml'));
        if (code !== 0 || /train --resume/.test(stderr)) {
          const resumed = await faulty.run(
            isBegun ? ['train', '--resume', 'run'] : ['train', 'run.yaml', '--out', 'run'],
          );
          if (resumed.code !== 0) problems.push(`${call} ${first}: not resumed: ${resumed.stderr}\n${stderr}`);
        }
        const left = await leftBy(at('run')).catch((error: Error) => error.message);
        if (typeof left === 'string') problems.push(`${call} ${first}: ${left}\n${stderr}`);
        else if (differences(whole, left).length > 0)
          problems.push(`${call} ${first}: ${differences(whole, left)}\n${stderr}`);
      }
      expect(problems.join('\n')).toBe('');
    },
  );
});
