import { existsSync } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { usersOf } from '../../backend/in-use.ts';
import { PACKING_LOCK } from '../../data/packed/atomic.ts';
import { describePacked, type PackedSource } from '../../data/packed/packed.ts';
import { PREPARATION_LOCK } from '../../data/prepare/prepare-source.ts';
import { sources } from '../../data/prepare/sources.ts';
import { bytesOf } from '../../util/bytes-of.ts';
import { isIn } from '../../util/is-in.ts';

/** What the cache folder holds: `other` was not put there by tailmix, and is never removed. */
export type Kind = 'packed' | 'weights' | 'backend' | 'programs' | 'downloads' | 'python' | 'tests' | 'other';

/** Images of one split, packed. */
export interface PackedEntry extends PackedSource {
  images: number;
  shape: readonly number[];
  /** Whether the folder that it was packed from is there. */
  exists: boolean;
}

/** A file or a folder in the cache. */
export interface CacheEntry {
  kind: Kind;
  /** Relative to the cache folder, of packed files to `packed`. */
  name: string;
  /** Absolute. */
  path: string;
  bytes: number;
  /** When it was last used, of a packed file. */
  lastUsed: Date | null;
  /** What a packed file says of itself; null for anything else, and for one that is damaged or of another version. */
  packed: PackedEntry | null;
  /** Processes that use it. */
  users: readonly User[];
  /** It lies outside of the cache folder, behind a link. */
  isOutside: boolean;
}

/** A process that uses something of the cache, or may. */
export type User = Awaited<ReturnType<typeof usersOf>>[number];

const PACK = /^(train|validation|test)-[\da-f]{16}\.pack$/;
/** A packed file that is being written, was left by a killed process, or was about to be removed. */
const PART = /^(train|validation|test)-[\da-f]{16}\.pack\.[\da-f-]{36}\.(tmp|removing)$/;

const WEIGHTS = /^[\da-f]{64}(\.[\da-f-]{36}\.(tmp|removing))?$/;

/** Behind the name of what is being removed, or of what an interrupted removal left. */
export const ASIDE = /\.[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.removing$/;

/** Everything in a cache folder, by name; packed files first, those used last in front. */
export async function cacheEntries(root: string): Promise<CacheEntry[]> {
  const users = await usersOf(root);
  const entry = (kind: Kind, parts: string[], details: Partial<CacheEntry> = {}): Promise<CacheEntry> =>
    describe(root, kind, parts, users, details);
  const names = await list(root);
  const packs = (await list(join(root, 'packed'))).filter((name) => !name.includes(`.pack${PACKING_LOCK}`));
  const packed = packs.map((name) => packedEntry(root, name, entry));
  const data = (await list(join(root, 'data')))
    .filter((name) => !name.startsWith(PREPARATION_LOCK))
    .map((name) => entry(isDownload(name.replace(ASIDE, '')) ? 'downloads' : 'other', ['data', name]));
  const weights = (await list(join(root, 'weights'))).map((name) => weightsEntry(root, name, entry));
  const rest = names
    .filter((name) => !['packed', 'data', 'weights', 'in-use'].includes(name) && !name.startsWith('setup.lock'))
    .map((name) => entry(kindOf(name.replace(ASIDE, '')), [name]));
  const described = await Promise.all(packed);
  described.sort((a, b) => Number(b.lastUsed ?? 0) - Number(a.lastUsed ?? 0));
  return [...described, ...(await Promise.all([...weights, ...rest, ...data]))];
}

const list = async (folder: string): Promise<string[]> => (await readdir(folder).catch(() => [])).sort();

/** What `data prepare` fetches: published data sets, and archives on their way. Any other folder there is the user's. */
const isDownload = (name: string): boolean => name === '.tailmix' || Object.hasOwn(sources, name);

function kindOf(name: string): Kind {
  if (/^(native(-gpu)?-tf|device-\w+-)\d/.test(name)) return 'backend';
  if (name === 'downloads' || name === 'programs') return name;
  if (/^mlflow-\d/.test(name)) return 'python';
  return name === 'test' ? 'tests' : 'other';
}

async function packedEntry(
  root: string,
  name: string,
  entry: (kind: Kind, parts: string[], details?: Partial<CacheEntry>) => Promise<CacheEntry>,
): Promise<CacheEntry> {
  const path = join(root, 'packed', name);
  const found = await lstat(path).catch(() => null);
  if (!found?.isFile() || !(PACK.test(name) || PART.test(name))) return entry('other', ['packed', name]);
  const metadata = PACK.test(name) ? await describePacked(path) : null;
  const { source, count, shape } = metadata ?? {};
  const packed = source && { ...source, images: count!, shape: shape!, exists: existsSync(source.folder) };
  // Of a file that is being written the time of writing is the last use.
  const lastUsed = PACK.test(name) ? found.atime : found.mtime;
  return entry('packed', ['packed', name], { name, lastUsed, packed: packed ?? null });
}

/** Files of weights that checkpoints name by their SHA-256, and copies that were begun. */
async function weightsEntry(
  root: string,
  name: string,
  entry: (kind: Kind, parts: string[], details?: Partial<CacheEntry>) => Promise<CacheEntry>,
): Promise<CacheEntry> {
  if (!WEIGHTS.test(name)) return entry('other', ['weights', name]);
  const lastUsed = name.endsWith('.tmp') ? (await lstat(join(root, 'weights', name))).mtime : null;
  return entry('weights', ['weights', name], { lastUsed });
}

async function describe(
  root: string,
  kind: Kind,
  parts: string[],
  users: readonly User[],
  details: Partial<CacheEntry>,
): Promise<CacheEntry> {
  const path = join(root, ...parts);
  return {
    kind,
    name: parts.join('/'),
    path,
    bytes: await bytesOf(path),
    lastUsed: null,
    packed: null,
    users: usersOfPath(users, path),
    isOutside: !(await isWithin(root, path)),
    ...details,
  };
}

/** Those that use a path, or something in it. */
export const usersOfPath = (users: readonly User[], path: string): User[] =>
  users.filter(({ paths }) => paths.some((one) => isIn(path, one)));

/** Whether a path lies in a folder, wherever links above it lead. */
export async function isWithin(root: string, path: string): Promise<boolean> {
  const [base, folder] = await Promise.all([realpath(root), realpath(dirname(path))]);
  return isIn(base, folder);
}
