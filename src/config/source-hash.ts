import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Endings of modules. */
const ENDINGS = new Set(['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx', '.json']);

/**
 * A text that can name a module by where it lies: after `from` or `import`, in `import()`, `require()` of any name, or
 * `new URL()`. One that names none, or is in a comment, does no harm.
 */
const PLACE = /(['"`])((?:\.{1,2}\/|\/|file:\/\/|#)[^'"`\n]+)\1/g;

/** A package that is imported: its name, without what is behind it. */
const PACKAGE = /\b(?:from|import|require)\s*\(?\s*(['"])((?:@[\w.-]+\/)?\w[\w.-]*)(?:\/[^'"\n]*)?\1/g;

/**
 * SHA-256, hex, of a module of the user's own and of the files that it names by where they lie, and those in turn, with the versions of
 * packages that they import: of a file that names none that of the file. Where the files are does not matter, only where they are from the module. A path
 * that is put together as the module runs is not seen.
 *
 * @param file - absolute
 */
export const hashModule = async (file: string): Promise<string> => (await readModule(file)).source;

/** The hash of a module, and the files that running it needs: those of the hash, and each one's package.json. */
export async function readModule(file: string): Promise<{ source: string; files: string[] }> {
  const { createJiti } = await import('jiti');
  const hashes = new Map<string, string>();
  const packages = new Set<string>();
  const versions = new Set<string>();
  const own = await realpath(file);
  const visit = async (path: string): Promise<void> => {
    if (hashes.has(path)) return;
    const bytes = await readFile(path);
    hashes.set(path, sha256(bytes));
    for (const found of packageOf(path)) packages.add(found);
    if (extname(path) === '.json') return;
    const text = bytes.toString('utf8');
    for (const [, , name] of text.matchAll(PACKAGE)) {
      const version = await packageVersion(name!, path);
      if (version !== null) versions.add(version);
    }
    const jiti = createJiti(path);
    for (const [, , place] of text.matchAll(PLACE)) {
      const found = jiti.esmResolve(place!, { try: true });
      const named = found?.startsWith('file:') ? await moduleAt(fileURLToPath(found)) : null;
      if (named !== null) await visit(named);
    }
  };
  await visit(own);
  const first = hashes.get(own)!;
  const files = [...hashes.keys(), ...packages];
  if (hashes.size === 1 && versions.size === 0) return { source: first, files };
  const helpers = [...hashes].filter(([path]) => path !== own).map(([path, hash]) => [placeOf(path, own), hash]);
  const parts = [first, ...helpers.sort(([a], [b]) => (a! < b! ? -1 : 1))];
  return { source: sha256(JSON.stringify(versions.size > 0 ? [...parts, [...versions].sort()] : parts)), files };
}

/**
 * `NAME@VERSION` of an installed package, as a file finds it; null where there is none, and for tailmix, which says by itself what wrote
 * a run.
 *
 * @param specifier - what is imported: a package, or something in one
 */
export async function packageVersion(specifier: string, file: string): Promise<string | null> {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (name === 'tailmix') return null;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const text = await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8').catch(() => null);
    if (text !== null) return `${name}@${versionIn(text)}`;
    if (folder === dirname(folder)) return null;
  }
}

/** What a package.json says; nothing where it says nothing, or is none. */
function versionIn(text: string): unknown {
  try {
    return JSON.parse(text).version ?? '';
  } catch {
    return '';
  }
}

/** The nearest package.json: it says what a folder and a name with # mean. */
function packageOf(file: string): string[] {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const found = join(folder, 'package.json');
    if (existsSync(found)) return [found];
    if (folder === dirname(folder)) return [];
  }
}

const placeOf = (path: string, own: string): string => relative(dirname(own), path).replaceAll('\\', '/');

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

/** Null for what is no module, as a folder or a table; installed packages are not the user's own. */
async function moduleAt(path: string): Promise<string | null> {
  if (!ENDINGS.has(extname(path))) return null;
  const real = await realpath(path).catch(() => null);
  if (real === null || real.includes('/node_modules/') || real.includes('\\node_modules\\')) return null;
  return (await stat(real)).isFile() ? real : null;
}
