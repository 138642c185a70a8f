import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { makeFolder } from '#make-folder';
import { markInUse } from '../backend/in-use.ts';
import { cacheRoot } from '../backend/paths.ts';
import { messageOf, TailmixError } from '../errors.ts';
import type { Snapshot, SnapshotBackbone } from '../run.ts';
import { checksumWeights, filesOf } from '../weights/checksum.ts';
import { backboneDiffers, backboneMissing, notACheckpoint } from './errors.ts';
import { checksumOf } from './weights-checksum.ts';

/** Folder of the cache with files of weights, each in a folder named by its SHA-256. */
const weightsFolder = (): string => join(cacheRoot(), 'weights');

/** A file of weights in its folder of the cache; null where it is not there. */
async function cachedFile(sha256: string): Promise<string | null> {
  const folder = join(weightsFolder(), sha256);
  const names = (await readdir(folder).catch(() => [])).sort();
  const name = names.find((one) => one.endsWith('.json')) ?? names[0];
  return name === undefined ? null : join(folder, name);
}

const hasChecksum = (path: string, sha256: string): Promise<boolean> =>
  checksumWeights(path).then(
    (found) => found === sha256,
    () => false,
  );

/**
 * Copies the file of a backbone into the cache, unless it is there, so that checkpoints that leave its weights out can be read
 * when the file has moved. Without a cache that can be written, the file at its place has to do.
 *
 * @returns false where no file has its checksum any more
 */
export async function keepBackbone({ sha256, ...places }: BackboneFile): Promise<boolean> {
  const folder = join(weightsFolder(), sha256);
  const cached = await cachedFile(sha256);
  if (cached !== null) {
    if (await hasChecksum(cached, sha256)) return kept(cached);
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
  for (const source of placesOf(places)) {
    const copy = await copyOf(source, folder, sha256).catch(() => null);
    if (copy !== null) return kept(copy);
    if (await hasChecksum(source, sha256)) return true;
  }
  return false;
}

async function kept(path: string): Promise<true> {
  await markInUse(dirname(path));
  return true;
}

async function copyOf(source: string, folder: string, sha256: string): Promise<string> {
  const temporary = `${folder}.${randomUUID()}.tmp`;
  try {
    await makeFolder(weightsFolder());
    await mkdir(temporary);
    for (const file of await filesOf(source))
      await copyFile(file, join(temporary, basename(file)), constants.COPYFILE_FICLONE);
    const found = await checksumWeights(join(temporary, basename(source)));
    if (found !== sha256) throw new Error(`its SHA-256 is ${found}`);
    await rename(temporary, folder);
    return join(folder, basename(source));
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
  }
}

/** Where the file of a backbone was: as an absolute path, and from the working directory. */
const placesOf = ({ path, file }: Pick<SnapshotBackbone, 'path' | 'file'>): string[] => [
  ...new Set([path, resolve(file)]),
];

/**
 * Adds the weights that a checkpoint leaves out: from the file in the cache, where the run had it, or in the run's directory.
 *
 * @throws {TailmixError} CHECKPOINT_BACKBONE, CHECKPOINT_FOREIGN
 */
export async function withBackbone(path: string, snapshot: Snapshot): Promise<Snapshot> {
  const { backbone } = snapshot;
  if (backbone === undefined) return snapshot;
  const file = await findBackbone(path, backbone);
  const { backboneArrays } = await import('../models/published/backbone-arrays.ts');
  const arrays = await backboneArrays(backbone, file).catch((error: unknown) => {
    throw error instanceof TailmixError ? error : notACheckpoint(path, `its backbone is none (${messageOf(error)})`);
  });
  const absent = backbone.weights.find((name) => !Object.hasOwn(arrays, name));
  if (absent !== undefined || checksumOf(arrays, backbone.weights) !== backbone.values)
    throw backboneDiffers(path, backbone, file);
  return { ...snapshot, state: { ...snapshot.state, ...arrays } };
}

/** A file of weights that a run began with. */
export type BackboneFile = Pick<SnapshotBackbone, 'name' | 'file' | 'path' | 'sha256'>;

/**
 * The file of a backbone: in the cache, where the run had it, or in the run's directory.
 *
 * @throws {TailmixError} CHECKPOINT_BACKBONE
 */
export async function findBackbone(checkpoint: string, backbone: BackboneFile): Promise<string> {
  const { sha256, file } = backbone;
  const cached = await cachedFile(sha256);
  const own = dirname(dirname(resolve(checkpoint)));
  const places = [...(cached ? [cached] : []), ...placesOf(backbone), join(own, basename(file))];
  const others: string[] = [];
  for (const place of places) {
    if (!(await stat(place).catch(() => null))?.isFile()) continue;
    if (await hasChecksum(place, sha256)) return place;
    others.push(place);
  }
  throw backboneMissing(checkpoint, backbone, { others, own });
}
