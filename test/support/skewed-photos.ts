import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { randomStream } from '../../src/random.ts';

/** What photos of a class have in common: a colour. */
const COLOURS = { bee: [230, 190, 40], wasp: [150, 120, 20], 'old oak': [60, 140, 60], newt: [200, 80, 60] } as const;

/** Small photos in class folders, a few of most classes, and what lies in such folders in addition. */
export async function skewedPhotos(
  folder: string,
  counts: Record<keyof typeof COLOURS, number> = { bee: 40, wasp: 16, 'old oak': 9, newt: 3 },
): Promise<void> {
  for (const [name, colour] of Object.entries(COLOURS)) {
    await mkdir(join(folder, name), { recursive: true });
    for (let i = 0; i < counts[name as keyof typeof COLOURS]; i++) {
      const random = randomStream('photos', name, i);
      const [width, height] = [36 + random.integer(20), 32 + random.integer(10)];
      const pixels = Uint8Array.from({ length: width * height * 3 }, (_, at) =>
        Math.min(255, Math.max(0, colour[at % 3]! + 40 * random.normal())),
      );
      const photo = sharp(pixels, { raw: { width, height, channels: 3 } }).jpeg();
      await photo.toFile(join(folder, name, `${i}.jpg`));
    }
  }
  await writeFile(join(folder, '.DS_Store'), 'x');
}
