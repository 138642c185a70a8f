import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, test, vi } from 'vitest';
import { markInUse } from '../../src/backend/in-use.ts';
import { cacheClean } from '../../src/cli/cache/index.ts';
import { loadData } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import { writeTree } from '../support/image-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type Ended, tailmix } from './run.ts';

interface Listed {
  entries: {
    kind: string;
    name: string;
    bytes: number;
    lastUsed: string | null;
    packed: object | null;
    inUse: object[];
  }[];
}
interface Cleaned {
  removed: { name: string }[];
  kept: { name: string; why: string }[];
}

/** A cache with the packed images of one data set, and what else may lie in it. */
async function setUp() {
  const folder = await temporaryFolder();
  const cache = join(folder, 'cache');
  const run = async (...args: string[]): Promise<Ended> => {
    vi.stubEnv('TAILMIX_CACHE', cache);
    return tailmix(folder, ...args);
  };
  const json = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await run('cache', ...args, '--json')).stdout) as T;
  await writeTree(join(folder, 'photos'), { train: { ant: 3, bee: 1 }, test: { ant: 1, bee: 1 } }, [8, 10]);
  // Not the cache folder of this process, which therefore does not count as using it.
  const data = dataOptions.parse({ name: 'image-folder', root: join(folder, 'photos') });
  await loadData(data, { cache: join(cache, 'packed') });
  await writeAll(cache, {
    'native-tf0.0.0-tfjs0.0.0-linux-x64/stamp.json': '{}',
    'downloads/half.part': 'x'.repeat(2000),
    'data/cifar10/batches.meta.txt': 'airplane',
    'data/photos/mine.jpg': 'mine',
    [`weights/${'a'.repeat(64)}/vit.safetensors`]: 'a copy',
    'weights/mine.safetensors': 'mine',
    'notes.txt': 'mine too',
  });
  const packs = (): string[] => readdirSync(join(cache, 'packed')).sort();
  return { folder, cache, run, json, packs };
}

async function writeAll(root: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

const names = (entries: readonly { name: string }[]): string[] => entries.map(({ name }) => name).sort();

describe('tailmix cache ls', () => {
  test('lists packed images with their source, and the rest by kind', async () => {
    const { folder, cache, json, run, packs } = await setUp();
    const { entries } = await json<Listed>('ls');
    const [test, train] = packs();
    const of = (name: string) => entries.find((entry) => entry.name === name);
    expect(of(train!)).toMatchObject({
      kind: 'packed',
      bytes: (await stat(join(cache, 'packed', train!))).size,
      packed: {
        dataset: 'image-folder',
        folder: join(folder, 'photos/train'),
        images: 4,
        shape: [8, 10, 3],
        exists: true,
      },
      inUse: [],
    });
    const kinds = Object.fromEntries(entries.map(({ name, kind }) => [name, kind]));
    expect(kinds).toEqual({
      [test!]: 'packed',
      [train!]: 'packed',
      'native-tf0.0.0-tfjs0.0.0-linux-x64': 'backend',
      downloads: 'downloads',
      'data/cifar10': 'downloads',
      'data/photos': 'other',
      [`weights/${'a'.repeat(64)}`]: 'weights',
      'weights/mine.safetensors': 'other',
      'notes.txt': 'other',
    });
    await rm(join(folder, 'photos'), { recursive: true });
    const { stdout } = await run('cache');
    const day = new Date().toISOString().slice(0, 10);
    expect(stdout).toMatch(
      new RegExp(`${train!.slice(0, -5)} +image-folder +4 +5\\.\\d kB +${day} +.*/photos/train \\(gone\\)`),
    );
    expect(stdout).toMatch(/downloads +downloads +2\.0 kB/);
  });

  test('a cache that is not there is empty', async () => {
    vi.stubEnv('TAILMIX_CACHE', join(await temporaryFolder(), 'none'));
    const { code, stdout } = await tailmix('.', 'cache', 'ls', '--json');
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, bytes: 0, entries: [] });
  });

  test('using a packed file keeps when, and not when it was written', async () => {
    const { folder, cache, json, run, packs } = await setUp();
    const path = join(cache, 'packed', packs()[1]!);
    await utimes(path, 1000, 2000);
    expect((await json<Listed>('ls')).entries.find(({ name }) => path.endsWith(name))!.lastUsed).toBe(
      '1970-01-01T00:16:40.000Z',
    );
    await run('data', 'prepare', 'image-folder', '--data-root', join(folder, 'photos'));
    const { atimeMs, mtimeMs } = await stat(path);
    expect(mtimeMs).toBe(2_000_000);
    expect(Date.now() - atimeMs).toBeLessThan(600_000);
  });
});

describe('tailmix cache clean', () => {
  test('removes a folder that was packed, and shows it before', async () => {
    const { folder, run, json, packs } = await setUp();
    const both = packs();
    const shown = await run('cache', 'clean', 'photos', '--dry-run');
    expect(shown.stdout).toMatch(/would remove (9\.\d|1\d) kB\n$/);
    expect(packs()).toEqual(both);
    expect(names((await json<Cleaned>('clean', join(folder, 'photos/test'), '--yes')).removed)).toEqual([both[0]]);
    expect(packs()).toEqual([both[1]]);
    expect(names((await json<Cleaned>('clean', 'image-folder', '--yes')).removed)).toEqual([both[1]]);
    expect(packs()).toEqual([]);
  });

  test('--all leaves what tailmix did not put there, and what lies behind a link', async () => {
    const { folder, cache, json } = await setUp();
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    const name = `train-${'0'.repeat(16)}.pack`;
    await writeFile(join(elsewhere, name), 'not in the cache');
    await rm(join(cache, 'packed'), { recursive: true });
    await symlink(elsewhere, join(cache, 'packed'));
    await mkdir(join(folder, 'build'));
    await writeFile(join(folder, 'build/lib'), 'linked');
    await symlink(join(folder, 'build'), join(cache, 'native-tf1.0.0'));
    const { removed, kept } = await json<Cleaned>('clean', '--all', '--yes');
    expect(names(removed)).toEqual([
      'data/cifar10',
      'downloads',
      'native-tf0.0.0-tfjs0.0.0-linux-x64',
      'native-tf1.0.0',
      `weights/${'a'.repeat(64)}`,
    ]);
    expect(kept).toMatchObject([{ name, why: 'lies outside of the cache folder' }]);
    expect(readdirSync(elsewhere)).toEqual([name]);
    expect(await readFile(join(folder, 'build/lib'), 'utf8')).toBe('linked');
    expect(await readFile(join(cache, 'data/photos/mine.jpg'), 'utf8')).toBe('mine');
    expect(await readFile(join(cache, 'notes.txt'), 'utf8')).toBe('mine too');
    expect(existsSync(join(cache, 'native-tf1.0.0'))).toBe(false);
  });

  test('--unused means packed images that were not used for so many days', async () => {
    const { cache, json, packs } = await setUp();
    const [old, recent] = packs();
    const days = (n: number): number => Date.now() / 1000 - n * 86_400;
    await utimes(join(cache, 'packed', old!), days(11), days(11));
    await utimes(join(cache, 'packed', recent!), days(9), days(90));
    expect(names((await json<Cleaned>('clean', '--unused', '10', '--yes')).removed)).toEqual([old]);
    expect(packs()).toEqual([recent]);
    expect(existsSync(join(cache, 'downloads'))).toBe(true);
  });

  test('what a live process uses stays; what a dead one used goes', async () => {
    const { cache, json, packs } = await setUp();
    const [used, free] = packs();
    const other = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { markInUse } = await import(${JSON.stringify(join(process.cwd(), 'dist/src/backend/in-use.js'))});
         await markInUse(${JSON.stringify(join(cache, 'packed', used!))}, ${JSON.stringify(cache)});
         console.log('marked');
         setInterval(() => {}, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(other.stdout, 'data');
    const why = `is in use by process ${other.pid}`;
    const { removed, kept } = await json<Cleaned>('clean', 'packed', '--yes', '--take-over');
    expect({ removed: names(removed), kept }).toMatchObject({ removed: [free], kept: [{ name: used, why }] });
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(readdirSync(join(cache, 'in-use'))).toHaveLength(1);
    expect(names((await json<Cleaned>('clean', 'packed', '--yes')).removed)).toEqual([used]);
    // The next process that uses the cache puts the dead one's mark away.
    await markInUse(join(cache, 'packed', 'x'), cache);
    const marks = readdirSync(join(cache, 'in-use'));
    expect(JSON.parse(await readFile(join(cache, 'in-use', marks[0]!), 'utf8'))).toMatchObject({ pid: process.pid });
    expect(marks).toHaveLength(1);
  });

  test('a process that cannot be seen from here counts, until --take-over', async () => {
    const { cache, json, packs } = await setUp();
    const [used] = packs();
    const elsewhere = { host: `not-${hostname()}`, space: null, pid: 7, started: null };
    await writeAll(cache, {
      'in-use/a.json': JSON.stringify({ ...elsewhere, paths: [join(cache, 'packed', used!)] }),
      'in-use/b.json': 'damaged',
    });
    const { kept } = await json<Cleaned>('clean', used!, '--yes');
    expect(kept).toMatchObject([
      { name: used, why: expect.stringContaining(`on not-${hostname()}, which cannot be seen`) },
    ]);
    expect(names((await json<Cleaned>('clean', used!, '--yes', '--take-over')).removed)).toEqual([used]);
  });

  test('a packed file that is being written stays; what a killed process left goes', async () => {
    const { cache, json } = await setUp();
    const id = '01234567-89ab-cdef-0123-456789abcdef';
    const [fresh, left] = ['0', '1'].map((digit) => `train-${digit.repeat(16)}.pack.${id}.tmp`);
    await writeAll(join(cache, 'packed'), { [fresh!]: 'x', [left!]: 'x' });
    await utimes(join(cache, 'packed', left!), 1, 1);
    const { removed, kept } = await json<Cleaned>('clean', fresh!, left!, '--yes');
    expect(names(removed)).toEqual([left]);
    expect(kept).toMatchObject([{ name: fresh, why: 'is being written' }]);
  });

  test('asks, and removes nothing without a yes', async () => {
    const { cache, packs } = await setUp();
    vi.stubEnv('TAILMIX_CACHE', cache);
    const both = packs();
    const asked: string[] = [];
    const answer = (text: string) => async (question: string) => {
      asked.push(question);
      return text;
    };
    const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    await cacheClean(['packed'], {}, answer(''));
    expect(packs()).toEqual(both);
    await cacheClean(['packed'], {}, answer('y'));
    said.mockRestore();
    expect(packs()).toEqual([]);
    expect(asked[0]).toMatch(/^Remove (9\.\d|1\d) kB\? \[y\/N\] $/);
  });

  test('says what it lacks', async () => {
    const { run, packs } = await setUp();
    const both = packs();
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await run('cache', 'clean', ...args);
      expect(code).toBe(2);
      return stderr.replaceAll(/\S+\/cache\//g, '…/cache/');
    };
    expect([
      await refused(),
      await refused('image-foldr'),
      await refused('data/photos'),
      await refused('../../etc/passwd'),
      await refused('--all', '--json'),
    ]).toMatchInlineSnapshot(`
      [
        "cache clean: expected what to remove, got nothing. Name it as \`tailmix cache ls\` does, or give --unused DAYS or --all; --dry-run only shows what would go.
      ",
        "cache clean: expected a name in the cache, a data set, or a folder that images were packed from; got "image-foldr". Did you mean "image-folder"? \`tailmix cache ls\` lists them.
      ",
        "cache clean: expected something that tailmix put there; got …/cache/data/photos, which may be yours. Remove it yourself.
      ",
        "cache clean: expected a name in the cache, a data set, or a folder that images were packed from; got "../../etc/passwd". \`tailmix cache ls\` lists them.
      ",
        "cache clean: expected your agreement, and there is no terminal to ask on. Repeat the command with --yes.
      ",
      ]
    `);
    expect(packs()).toEqual(both);
  });
});
