import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences } from '../kills/left.ts';
import { writeTree } from '../support/image-tree.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { compileShim, type Fault, type Faulty, faultyConfig, type Outcome, startFaulty } from './faulty.ts';

const config = faultyConfig({ name: 'writers', epochs: 1, plugins: '{ use: mlflow, every: 1 }' });

const photosConfig = `name: photos
data: { name: image-folder, root: photos, imageSize: 8, workers: 0, split: { test: 0.25 } }
model: { name: mlp, width: 2 }
train: { epochs: 1, batchSize: 8, step: eager }
`;

const shim = compileShim('no disk fails under what commands write');

/** What has a line for each start in it: who uses a cache, and the spool of a sweep. */
const isOfStarts = (name: string): boolean => /^(in-use|mlflow)\//.test(name);

/** Texts of the files of a folder by name, without what depends on the clock or the starts, and the file of faults. */
async function contentsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = files
    .filter((file) => file !== join(folder, 'faults') && !isOfStarts(file.slice(folder.length + 1)))
    .sort()
    .map(async (file) => [file.slice(folder.length + 1), timeless(await readFile(file, 'latin1'))] as const);
  return Object.fromEntries(await Promise.all(texts));
}

const clock =
  /"?created"?: ?"[^"]*"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?|(creation_time|last_update_time): \d+/g;
const timeless = (text: string): string => text.replace(clock, '');

interface Command {
  name: string;
  args: readonly string[];
  /** Folder that it makes. */
  target: string;
  /** Whose calls fail; default: the target. */
  place?: string;
  /** What of the target is deleted before each try. Default: all. */
  made?: string;
  /** What it reads; default: nothing that is tried. */
  source?: string;
  /** Where it runs, and with what. Default: `wasm`. */
  where?: 'wasm' | 'native' | 'inside';
  /** Which calls are tried in CI: every so many. */
  every: number;
}

const commands: Command[] = [
  { name: 'mlflow export', target: 'written', args: ['mlflow', 'export', 'run', '--mlruns', 'written'], every: 20 },
  { name: 'report', target: 'page', args: ['report', 'run', '--out', 'page'], source: 'run', every: 3 },
  ...['saved-model', 'tfjs', 'onnx'].map((format) => ({
    name: `export --format ${format}`,
    target: `exports/${format}`,
    args: ['export', '../run', '--format', format, '--out', format],
    place: 'exports',
    source: 'run',
    where: 'native' as const,
    every: 5,
  })),
  { name: 'data prepare', target: 'cache', args: ['data', 'prepare', 'photos.yaml'], source: 'photos', every: 5 },
  {
    name: 'data info',
    target: 'info',
    args: ['data', 'info', 'photos.yaml', '--out', 'info'],
    every: 1,
  },
  { name: 'mistakes', target: 'wrong', args: ['mistakes', 'run', '--out', 'wrong'], source: 'run', every: 4 },
  { name: 'pictures', target: 'run', made: 'run/pictures.json', args: ['pictures', 'run'], source: 'run', every: 1 },
  // Their runs are finished: what is left are their own files.
  {
    name: 'compare',
    target: 'compared',
    made: 'compared/report',
    args: ['compare', 'compared.yaml', '--out', 'compared'],
    source: 'compared',
    every: 15,
  },
  {
    name: 'sweep',
    target: 'swept',
    made: 'swept/report',
    args: ['sweep', 'sweep.yaml', '--out', 'swept', '--report'],
    source: 'swept',
    every: 15,
  },
  { name: 'init of a project', target: 'project', args: ['init', 'project'], every: 1 },
  { name: 'init of photos', target: 'inside', args: ['init', '../photos', '--yes'], where: 'inside', every: 1 },
];

const faults: { name: string; of: 'place' | 'source'; fault: Omit<Fault, 'folder' | 'at'> }[] = [
  { name: 'is full from then on', of: 'place', fault: { error: 'ENOSPC' } },
  { name: 'fails once', of: 'place', fault: { error: 'EIO', lasting: false } },
  { name: 'fails once to be read', of: 'source', fault: { error: 'EIO', lasting: false, calls: 'reads' } },
];

describe.skipIf(shim === null)('a disk that fails at each call of a command in turn', { timeout: 900_000 }, () => {
  const folder = inTemporaryFolder();
  let processes: Record<NonNullable<Command['where']>, Faulty>;
  const at = (name: string): string => join(folder(), name);

  beforeAll(async () => {
    await writeFile(at('run.yaml'), config);
    await writeFile(at('photos.yaml'), photosConfig);
    await writeFile(at('sweep.yaml'), 'name: swept\nconfigs: [run.yaml]\nseeds: [0, 1]\n');
    await writeFile(at('compared.yaml'), config.replace('workers:', 'split: { validation: 0.3 }, workers:'));
    await writeTree(folder(), { photos: { bee: 12, wasp: 4 } }, [12, 12]);
    for (const name of ['inside', 'exports']) await mkdir(at(name));
    processes = {
      wasm: await startFaulty(folder(), shim!, { TAILMIX_CACHE: at('cache') }),
      inside: await startFaulty(at('inside'), shim!, { TAILMIX_CACHE: at('cache') }),
      native: await startFaulty(at('exports'), shim!, { TAILMIX_BACKEND: 'native' }),
    };
    expect(await processes.wasm.run(['train', 'run.yaml', '--out', 'run'])).toMatchObject({ code: 0 });
  });
  afterAll(() => {
    for (const faulty of Object.values(processes)) faulty.stop();
  });

  test.each(commands)(
    '$name: one message, nothing half written that is taken for whole, and a second try works',
    async ({ name, args, target, place = target, made = target, source, where = 'wasm', every: few }) => {
      const faulty = processes[where];
      const fresh = async (): Promise<void> => {
        if (where === 'inside') await rm(at(`${target}/tailmix.config.yaml`), { force: true });
        else await rm(at(made), { recursive: true, force: true });
      };
      await fresh();
      const first = await faulty.run(args);
      expect(first.code, first.stderr).toBe(0);
      const whole = await contentsOf(at(target));
      const differing = async (): Promise<string[]> =>
        differences(whole, await contentsOf(at(target)).catch(() => ({})));

      const problemsOf = async ({ code, stderr }: Outcome, failing: string): Promise<string[]> => {
        const problems: string[] = [];
        const isNamed = [target, failing].some((path) => stderr.includes(basename(path)));
        if (/internal|\n {4}at /.test(stderr)) problems.push('a stack, or a fault of tailmix');
        if (code !== 0 && !isNamed) problems.push('no file named');
        if (code !== 0 && !/free space|The disk reports a fault|cannot be read/.test(stderr)) problems.push('no cure');
        if (code === 0 && !isNamed) problems.push(...(await differing()).map((file) => `took ${file}`));
        // What failed must not stand in the way of a second try.
        if (code === 0) await fresh();
        const again = await faulty.run(args);
        if (again.code !== 0) problems.push(`second try: ${again.stderr}`);
        return [...problems, ...(await differing()).map((file) => `second try: ${file} differs`)];
      };

      const told: string[] = [];
      for (const { name: kind, of, fault } of faults) {
        const failing = { place, source }[of];
        if (failing === undefined) continue;
        const every = Number(process.env.TAILMIX_FAULTS_EVERY ?? few);
        let tried = 0;
        for (let call = 1; ; call += every) {
          await fresh();
          const outcome = await faulty.run(args, { folder: at(failing), at: call, ...fault });
          if (outcome.failed === 0) break;
          tried++;
          const problems = await problemsOf(outcome, failing);
          if (problems.length > 0)
            told.push(
              `${kind}, ${call} ${outcome.first}: rc ${outcome.code}, ${problems.join('; ')}\n${outcome.stderr}`,
            );
        }
        console.log(`${name}: a disk that ${kind}: ${tried} calls failed`);
        expect(tried).toBeGreaterThan(1);
      }
      expect(told.join('\n')).toBe('');
    },
  );
});
