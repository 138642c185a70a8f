import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inTemporaryFolder } from '../support/temporary.ts';
import { compileShim, type Faulty, faultyConfig, startFaulty } from './faulty.ts';

const config = faultyConfig({ name: 'writers', epochs: 1, plugins: '{ use: mlflow, every: 1 }' });

const shim = compileShim('no disk fails under what commands write');

/** Texts of the files of a folder by name, without what depends on the clock. */
async function contentsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = files
    .sort()
    .map(async (file) => [file.slice(folder.length + 1), await readFile(file, 'latin1')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

const clock =
  /"?created"?: ?"[^"]*"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?|(creation_time|last_update_time): \d+/g;
const timeless = (texts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text.replace(clock, '')]));

describe.skipIf(shim === null)(
  'what a command writes on a disk that fails at each call in turn',
  { timeout: 600_000 },
  () => {
    const folder = inTemporaryFolder();
    let faulty: Faulty;
    const at = (name: string): string => join(folder(), name);

    beforeAll(async () => {
      await writeFile(at('run.yaml'), config);
      faulty = await startFaulty(folder(), shim!, { TAILMIX_CACHE: at('cache') });
      expect(await faulty.run(['train', 'run.yaml', '--out', 'run'])).toMatchObject({ code: 0 });
    });
    afterAll(() => faulty.stop());

    test.each([['mlflow export', 'written', ['mlflow', 'export', 'run', '--mlruns', 'written']]] as const)(
      '%s: a message, nothing half written that is taken for whole, and a second try works',
      async (name, target, args) => {
        const fresh = () => rm(at(target), { recursive: true, force: true });
        await fresh();
        const first = await faulty.run(args);
        expect(first.code, first.stderr).toBe(0);
        const whole = timeless(await contentsOf(at(target)));
        const problems: string[] = [];
        let tried = 0;
        for (const [error, lasting, step] of [
          ['ENOSPC', true, 20],
          ['EIO', false, 20],
        ] as const) {
          const every = Math.max(1, Number(process.env.TAILMIX_FAULTS_EVERY ?? step));
          for (let call = 1; ; call += every) {
            await fresh();
            const outcome = await faulty.run(args, { folder: at(target), at: call, error, lasting });
            if (outcome.failed === 0) break;
            tried++;
            const where = `${error} ${call} ${outcome.first}`;
            const { code, stderr } = outcome;
            if (/internal|\n {4}at /.test(stderr)) problems.push(`${where}: a stack\n${stderr}`);
            if (code !== 0 && !stderr.includes(target)) problems.push(`${where}: no file named: ${stderr}`);
            if (code !== 0 && !/free space|The disk reports a fault/.test(stderr))
              problems.push(`${where}: no cure: ${stderr}`);
            const again = await faulty.run(args);
            if (again.code !== 0) problems.push(`${where}: second try: ${again.stderr}`);
            const left = timeless(await contentsOf(at(target)));
            const different = [...new Set([...Object.keys(whole), ...Object.keys(left)])].filter(
              (key) => left[key] !== whole[key],
            );
            if (different.length > 0) problems.push(`${where}: rc ${code}, differs: ${different}`);
          }
        }
        console.log(`${name}: ${tried} calls failed`);
        expect(tried).toBeGreaterThan(5);
        expect(problems.join('\n')).toBe('');
      },
    );
  },
);
