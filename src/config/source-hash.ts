import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve } from 'node:path';

/** Endings that an import may leave out, and those that `./x.js` may mean in TypeScript. */
const ENDINGS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json'];

/** A relative module in `from '…'`, `import '…'`, `import('…')` or `require('…')`. One in a comment does no harm. */
const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*(['"`])(\.{1,2}\/[^'"`\n]+)\1/g;

/**
 * SHA-256, hex, of a module of the user's own and of the files that it imports by relative paths, and those in turn: of a
 * file without such imports that of the file. Where the files are does not matter, only where they are from the module.
 *
 * @param file - absolute
 */
export async function hashModule(file: string): Promise<string> {
  const hashes = new Map<string, string>();
  const own = await realpath(file);
  const visit = async (path: string): Promise<void> => {
    if (hashes.has(path)) return;
    const bytes = await readFile(path);
    hashes.set(path, sha256(bytes));
    if (extname(path) === '.json') return;
    for (const [, , specifier] of bytes.toString('utf8').matchAll(IMPORT)) {
      const imported = await findModule(resolve(dirname(path), specifier!));
      if (imported !== null) await visit(imported);
    }
  };
  await visit(own);
  const first = hashes.get(own)!;
  if (hashes.size === 1) return first;
  const helpers = [...hashes].filter(([path]) => path !== own).map(([path, hash]) => [placeOf(path, own), hash]);
  return sha256(JSON.stringify([first, ...helpers.sort(([a], [b]) => (a! < b! ? -1 : 1))]));
}

const placeOf = (path: string, own: string): string => relative(dirname(own), path).replaceAll('\\', '/');

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

/** The file that an import names; null where there is none, which the import itself tells. */
async function findModule(path: string): Promise<string | null> {
  const ending = extname(path);
  const stems = ENDINGS.includes(ending) ? [path.slice(0, -ending.length)] : [];
  const candidates = [
    path,
    ...[path, ...stems, join(path, 'index')].flatMap((stem) => ENDINGS.map((end) => `${stem}${end}`)),
  ];
  for (const candidate of candidates) {
    const found = await stat(candidate).catch(() => null);
    if (found?.isFile()) return realpath(candidate);
  }
  return null;
}
