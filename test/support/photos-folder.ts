import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import { writePicture } from './image-tree.ts';
import { temporaryFolder } from './temporary.ts';

/** A folder `photos` with class folders, as JPEG files of 70 × 90 pixels and one other size. */
export async function photos(counts: Record<string, number>) {
  const folder = await temporaryFolder();
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  let seed = 0;
  for (const [name, count] of Object.entries(counts)) {
    for (let i = 0; i < count; i++)
      await writePicture(join(folder, 'photos', name, `${i}.jpg`), seed++, i === 0 ? 80 : 70, 90);
  }
  await writeFile(join(folder, 'photos/.DS_Store'), 'x');
  const app = join(folder, 'app');
  await mkdir(app);
  return { folder, app, photos: join(folder, 'photos') };
}
