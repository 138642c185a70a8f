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

/**
 * SHA-256, hex, of a module of the user's own and of the files that it names by where they lie, and those in turn: of a
 * file that names none that of the file. Where the files are does not matter, only where they are from the module. A path
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
  const own = await realpath(file);
  const visit = async (path: string): Promise<void> => {
    if (hashes.has(path)) return;
    const bytes = await readFile(path);
    hashes.set(path, sha256(bytes));
    for (const found of packageOf(path)) packages.add(found);
    if (extname(path) === '.json') return;
    const jiti = createJiti(path);
    for (const [, , place] of bytes.toString('utf8').matchAll(PLACE)) {
      const found = jiti.esmResolve(place!, { try: true });
      const named = found?.startsWith('file:') ? await moduleAt(fileURLToPath(found)) : null;
      if (named !== null) await visit(named);
    }
  };
  await visit(own);
  const first = hashes.get(own)!;
  const files = [...hashes.keys(), ...packages];
  if (hashes.size === 1) return { source: first, files };
  const helpers = [...hashes].filter(([path]) => path !== own).map(([path, hash]) => [placeOf(path, own), hash]);
  return { source: sha256(JSON.stringify([first, ...helpers.sort(([a], [b]) => (a! < b! ? -1 : 1))])), files };
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
