import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheRoot } from '../../src/backend/paths.ts';

const archive = fileURLToPath(new URL('../../../shared/data/cifar10-images.tar.xz', import.meta.url));

/**
 * A folder with real CIFAR-10 images in class folders, `train/<class>/*.jpg` (10 × 5,000) and `test/<class>/*.jpg`
 * (10 × 1,000): `TAILMIX_DATA` (or `cifar10` in it), else an archive beside the checkout, unpacked once into the
 * per-user cache. Null, with a loud warning, where there is neither.
 */
export async function cifar10Folders(): Promise<string | null> {
  const root = process.env.TAILMIX_DATA;
  for (const folder of root ? [root, join(root, 'cifar10')] : []) {
    if (existsSync(join(folder, 'train', 'airplane'))) return folder;
  }
  const target = join(cacheRoot(), 'test', 'cifar10-images');
  if (existsSync(target)) return target;
  if (!existsSync(archive)) {
    console.warn(
      'SKIPPED: real CIFAR-10 is not tested; set TAILMIX_DATA to a folder with train/<class> and test/<class>',
    );
    return null;
  }
  await mkdir(dirname(target), { recursive: true });
  const temporary = await mkdtemp(`${target}-`);
  await promisify(execFile)('tar', ['-xJf', archive, '-C', temporary]);
  try {
    await rename(temporary, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
    await rm(temporary, { recursive: true, force: true });
  }
  return target;
}
