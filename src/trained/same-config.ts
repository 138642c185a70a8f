import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parse, stringify } from 'yaml';
import { formatPath, isMap, type Path, type Tree } from '../config/tree.ts';
import type { ResolvedConfig } from '../config/types.ts';
import { displayPath } from '../errors.ts';
import type { Snapshot } from '../run.ts';
import { configDiffers, resolvedOtherwise } from '../tracking/errors.ts';
import { otherVersion } from '../tracking/written-by.ts';

/**
 * Checks that a run's config, without settings that are given in addition, is the one that a checkpoint was trained with.
 *
 * @param path - the run's config: a file that names everything, so that what it comes to is what is in it.
 * @throws {TailmixError} RUN_OTHER_VERSION, CONFIG_DIFFERS; both name what is resolved otherwise than it is written.
 */
export async function expectSameConfig(
  path: string,
  { hash, resolved }: Pick<ResolvedConfig, 'hash' | 'resolved'>,
  { configHash }: Pick<Snapshot, 'configHash'>,
): Promise<void> {
  if (configHash === '' || hash === configHash) return;
  const written: unknown = parse(await readFile(path, 'utf8').catch(() => ''));
  const read: unknown = parse(stringify(resolved));
  const other = isMap(written) && isMap(read) ? differences(written, read).map(formatPath) : [];
  const reason = resolvedOtherwise(configHash, hash, other);
  throw (await otherVersion(dirname(path), reason)) ?? configDiffers(displayPath(path), configHash, hash, other);
}

/** Places of two trees whose values differ. */
function differences(a: Tree, b: Tree, at: Path = []): Path[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => {
    const [one, other] = [a[key], b[key]];
    if (isMap(one) && isMap(other)) return differences(one, other, [...at, key]);
    return JSON.stringify(one) === JSON.stringify(other) ? [] : [[...at, key]];
  });
}
