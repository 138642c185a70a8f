import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, parse as parsePath, relative, resolve, sep } from 'node:path';
import process from 'node:process';
import { z } from 'zod';
import { makeFolder } from '#make-folder';
import type { Pins } from '../prepare.ts';
import { damagedRunFile } from './errors.ts';
import { sha256 } from './seal.ts';
import { isSigned, signed } from './user-key.ts';
import { writeFileAtomic } from './write-file.ts';

/** Folder of a run directory with the code that is the user's own, and the files that plugins read. */
export const SOURCES = 'sources';

/** A module of the user's own that a config has loaded. */
export interface OwnSource {
  /** As the logged config names it. */
  place: string;
  /** SHA-256 of it and of what it imports, hex. */
  source: string;
  /** Absolute paths of the module and of what it imports, itself the first. */
  files: readonly string[];
}

const manifestFile = z.object({
  modules: z.array(z.object({ place: z.string(), source: z.string(), file: z.string() })),
  /** Files below `files/` and their SHA-256. */
  files: z.record(z.string(), z.string()),
  /** Checksums of files below `read/`, which they are named by. */
  read: z.array(z.string()),
  /** Signature of the user who trained the run, on the machine where that was. */
  seal: z.string().nullable(),
});
type Manifest = Omit<z.output<typeof manifestFile>, 'seal'>;

/** Bytes of a file that a plugin has read up to which it is kept. */
const LARGEST = 16 << 20;

const manifestPath = (directory: string): string => join(directory, SOURCES, 'manifest.json');

/**
 * Keeps the user's own code with a run, as it lies in the project, and files that plugins were prepared with, up to 16 MiB
 * each; signed, so that later commands know whose they are. Where there are none nothing is written.
 */
export async function keepSources(directory: string, modules: readonly OwnSource[], pins: readonly Pins[]) {
  const read = pins.flatMap((all) => Object.entries(all)).filter(([, { network }]) => !network);
  if (modules.length === 0 && read.length === 0) return;
  const root = ancestorOf(modules.flatMap(({ files }) => files));
  const within = (file: string): string => relative(root, file).split(sep).join('/');
  const manifest: Manifest = {
    modules: modules.map(({ place, source, files }) => ({ place, source, file: within(files[0]!) })),
    files: {},
    read: [],
  };
  const write = async (path: string, bytes: Buffer): Promise<void> => {
    const target = join(directory, SOURCES, path);
    await makeFolder(dirname(target));
    await writeFileAtomic(target, [bytes]);
  };
  const papers = modules.map(({ files }) => paperOf(files[0]!)).filter(existsSync);
  for (const file of new Set([...modules.flatMap(({ files }) => files), ...papers])) {
    const bytes = await readFile(file);
    manifest.files[within(file)] = sha256(bytes);
    await write(`files/${within(file)}`, bytes);
  }
  for (const [place, pin] of read) {
    const bytes = await readFile(place).catch(() => null);
    if (bytes === null || bytes.length > LARGEST || sha256(bytes) !== pin.sha256) continue;
    manifest.read.push(pin.sha256);
    await write(`read/${pin.sha256}`, bytes);
  }
  const seal = await signed(JSON.stringify(manifest));
  await write('manifest.json', Buffer.from(`${JSON.stringify({ ...manifest, seal }, null, 2)}\n`));
}

/** BibTeX of a module of the user's own: `paper.bib` beside `index.ts`, as built-in plugins have it, `mine.bib` beside `mine.ts`. */
function paperOf(file: string): string {
  const { dir, name } = parsePath(file);
  return join(dir, `${name === 'index' ? 'paper' : name}.bib`);
}

/** The folder that all files lie below. */
function ancestorOf(files: readonly string[]): string {
  const [first = [], ...others] = files.map((file) => dirname(resolve(file)).split(sep));
  let length = first.length;
  for (const other of others) {
    const differs = first.findIndex((part, i) => part !== other[i]);
    if (differs >= 0) length = Math.min(length, differs);
  }
  return first.slice(0, length).join(sep) || sep;
}

/** What was kept with a run. */
export interface KeptSources {
  /** Whether this user kept them, on this machine. */
  isOwn: boolean;
  /** The kept module of a place: its hash, and its file; null for one that was not kept. */
  module(place: string): { source: string; file: string } | null;
  /** BibTeX that was kept with the module of a place; null where there was none. */
  paper(place: string): Promise<string | null>;
  /** Bytes of a file that a plugin read, by their checksum; null where it was not kept. */
  read(sha256: string): Promise<Buffer | null>;
}

/**
 * What was kept with a run; nothing of it is executed here.
 *
 * @throws {TailmixError} RUN_DAMAGED where kept code is not what was kept
 */
export async function openSources(directory: string): Promise<KeptSources> {
  const path = manifestPath(directory);
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return { isOwn: false, module: () => null, paper: async () => null, read: async () => null };
  const parsed = manifestFile.safeParse(parse(text));
  if (!parsed.success) throw damagedRunFile(path, 'the file');
  const { seal, ...manifest } = parsed.data;
  for (const [file, expected] of Object.entries(manifest.files)) {
    const kept = join(directory, SOURCES, 'files', file);
    const bytes = await readFile(kept).catch(() => null);
    if (bytes === null || sha256(bytes) !== expected) throw damagedRunFile(kept, 'the file');
  }
  return {
    isOwn: await isSigned(JSON.stringify(manifest), seal),
    module(place) {
      const found = manifest.modules.find((module) => module.place === place);
      return found ? { source: found.source, file: resolve(directory, SOURCES, 'files', found.file) } : null;
    },
    async paper(place) {
      const found = manifest.modules.find((module) => module.place === place);
      const file = found && paperOf(found.file);
      if (file === undefined || !Object.hasOwn(manifest.files, file)) return null;
      return readFile(join(directory, SOURCES, 'files', file), 'utf8');
    },
    async read(wanted) {
      if (!manifest.read.includes(wanted)) return null;
      const bytes = await readFile(join(directory, SOURCES, 'read', wanted)).catch(() => null);
      return bytes && sha256(bytes) === wanted ? bytes : null;
    },
  };
}

/** Told once in a process. */
const told = new Set<string>();

/** Tells that a file was changed since the run, and which is used. */
export function warnChanged(place: string, used: 'kept' | 'current'): void {
  const key = `${used} ${place}`;
  if (told.has(key)) return;
  told.add(key);
  const which =
    used === 'kept' ? 'the one that was kept with it is used' : 'it is used as it is now, not as it was kept';
  process.emitWarning(`${place} was changed since the run: ${which}.`, {
    type: 'TailmixWarning',
    code: 'SOURCE_CHANGED',
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
