import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { cacheRoot } from './paths.ts';
import { type SetupOptions, withWheel } from './setup.ts';
import { unpackMembers } from './wheel.ts';
import { PJRT_HEADER, PJRT_HEADER_LAYOUT } from './wheel-layout.ts';

/**
 * Adds the header of PJRT's C interface to a native build of an older tailmix, which lacks it: out of TensorFlow's wheel, given by
 * `from` or fetched again. Does nothing where it is.
 *
 * @param folder - of the native build.
 * @returns why it cannot be had, or `null`
 */
export async function addPjrtHeader(folder: string, options: SetupOptions = {}): Promise<string | null> {
  const { root = cacheRoot(), onStage = () => {} } = options;
  const path = join(folder, 'lib', PJRT_HEADER);
  if (existsSync(path)) return null;
  try {
    await withWheel('native', root, options, async ({ path: wheel }) => {
      onStage('unpacking the header of PJRT');
      const work = await mkdtemp(join(folder, 'lib', 'header-'));
      try {
        await unpackMembers(wheel, work, PJRT_HEADER_LAYOUT);
        await rename(join(work, PJRT_HEADER), path);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
