import { readModelFiles } from './backbone/files.ts';
import type { BackboneModelOptions } from './options.ts';

/**
 * Checksum of a backbone's files; one that is known already is taken as it is, and checked when the files are loaded.
 *
 * @throws {TailmixError} BACKBONE_MISSING, BACKBONE_FORMAT, BACKBONE_WEIGHTS.
 */
export const pinBackbone = async ({ name, path, sha256 }: BackboneModelOptions): Promise<string> =>
  sha256 ?? (await readModelFiles(path, name)).sha256;
