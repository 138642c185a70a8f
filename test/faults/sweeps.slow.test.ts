import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences, leftBy } from '../kills/left.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { compileShim, type Fault, type Faulty, faultyConfig, startFaulty } from './faulty.ts';

const shim = compileShim('no disk fails under a sweep that trains');

const commands = [
  { name: 'sweep', args: ['sweep', 'sweep.yaml', '--out', 'made', '--report'], every: 60 },
  { name: 'compare', args: ['compare', 'compared.yaml', '--out', 'made'], every: null },
];

/** Every call of so many is tried; `compare`, which takes minutes, only where this is given. */
const asked = process.env.TAILMIX_FAULTS_EVERY;
if (!asked) console.warn('SKIPPED: no disk fails under compare; set TAILMIX_FAULTS_EVERY=150');

const faults: { name: string; fault: Omit<Fault, 'folder' | 'at'> }[] = [
  { name: 'is full from then on', fault: { error: 'ENOSPC' } },
  { name: 'fails once', fault: { error: 'EIO', lasting: false } },
  { name: 'fails once to be read', fault: { error: 'EIO', lasting: false, calls: 'reads' } },
];

describe.skipIf(shim === null)(
  'a disk that fails at a call of a command that has runs to train',
  { timeout: 36_000_000 },
  () => {
    const folder = inTemporaryFolder();
    let faulty: Faulty;
    const at = (name: string): string => join(folder(), name);
    const config = faultyConfig({ name: 'run', epochs: 1 });

    beforeAll(async () => {
      await writeFile(at('run.yaml'), config);
      await writeFile(at('sweep.yaml'), 'name: made\nconfigs: [run.yaml]\nseeds: [0]\n');
      await writeFile(at('compared.yaml'), config.replace('workers:', 'split: { validation: 0.3 }, workers:'));
      faulty = await startFaulty(folder(), shim!, { TAILMIX_CACHE: at('cache') });
    });
    afterAll(() => faulty?.stop());

    /** What all runs of a folder left, by run. */
    async function runsOf(made: string): Promise<Record<string, Awaited<ReturnType<typeof leftBy>>>> {
      const names = (await readdir(made, { withFileTypes: true })).filter((entry) => entry.isDirectory());
      const runs = names.map(({ name }) => name).filter((name) => existsSync(join(made, name, 'checkpoints')));
      return Object.fromEntries(await Promise.all(runs.map(async (name) => [name, await leftBy(join(made, name))])));
    }

    test.each(commands.filter(({ every }) => every !== null || asked))(
      '$name: one message, and the next try ends equal to the bit',
      async ({ name, args, every: few }) => {
        const fresh = () => rm(at('made'), { recursive: true, force: true });
        await fresh();
        const first = await faulty.run(args);
        expect(first.code, first.stderr).toBe(0);
        const whole = await runsOf(at('made'));
        expect(Object.keys(whole).length).toBeGreaterThan(0);
        const differing = async (): Promise<string[]> => {
          const now = await runsOf(at('made'));
          const missing = Object.keys(whole)
            .filter((run) => !(run in now))
            .map((run) => `${run} is missing`);
          return [
            ...missing,
            ...Object.keys(now).flatMap((run) =>
              whole[run] ? differences(whole[run], now[run]!).map((what) => `${run}: ${what}`) : [`${run} is new`],
            ),
          ];
        };
        const every = Number(asked ?? few);
        const told: string[] = [];
        for (const { name: kind, fault } of faults) {
          let tried = 0;
          for (let call = 1; ; call += every) {
            await fresh();
            const {
              code,
              stderr,
              failed,
              first: what,
            } = await faulty.run(args, { folder: at('made'), at: call, ...fault });
            if (failed === 0) break;
            tried++;
            const problems: string[] = [];
            if (/internal|\n {4}at /.test(stderr)) problems.push('a stack, or a fault of tailmix');
            if (code !== 0 && !stderr.includes('made')) problems.push('no file named');
            if (code !== 0 && !/free space|The disk reports a fault|cannot be read/.test(stderr))
              problems.push('no cure');
            const again = await faulty.run(args);
            if (again.code !== 0) problems.push(`second try: ${again.stderr}`);
            problems.push(...(await differing()).map((one) => `second try: ${one} differs`));
            console.log(
              `${name}, ${kind}, call ${call} ${basename(what)}: rc ${code} ${problems.length === 0 ? 'held' : problems.join('; ')}`,
            );
            if (problems.length > 0)
              told.push(`${kind}, ${call} ${what}: rc ${code}, ${problems.join('; ')}\n${stderr}`);
          }
          expect(tried).toBeGreaterThan(1);
        }
        expect(told.join('\n')).toBe('');
      },
    );
  },
);
