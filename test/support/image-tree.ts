import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { placeWindow, type Sides, scaleWindow } from '../../src/data/transforms/photo.ts';

/** Pixels of a picture that differs from every other seed's, `[height, width, 3]`. */
export function picture(seed: number, height: number, width: number): Uint8Array {
  return Uint8Array.from({ length: height * width * 3 }, (_, i) => (seed * 37 + i * 11) & 255);
}

/** An image file scaled to cover a size, whose centre is cut out; test/data/resize.test.ts compares that with Pillow. */
export async function covered(path: string, size: Sides): Promise<Uint8Array> {
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  const sides: Sides = [info.height, info.width];
  return scaleWindow(new Uint8Array(data), sides, placeWindow(sides, size, size), size, 'bilinear');
}

/** Writes an image file (format by its extension) of a {@link picture}; returns its pixels. */
export async function writePicture(path: string, seed: number, height = 4, width = 5): Promise<Uint8Array> {
  const pixels = picture(seed, height, width);
  await mkdir(dirname(path), { recursive: true });
  await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(path);
  return pixels;
}

/** Writes `<root>/<split>/<class>/<i>.png` for each count; returns the pixels by path. */
export async function writeTree(
  root: string,
  counts: Record<string, Record<string, number>>,
  [height, width]: readonly [number, number] = [4, 5],
): Promise<Map<string, Uint8Array>> {
  const written = new Map<string, Uint8Array>();
  for (const [split, classes] of Object.entries(counts)) {
    await mkdir(join(root, split), { recursive: true });
    for (const [name, count] of Object.entries(classes)) {
      await mkdir(join(root, split, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const path = join(root, split, name, `${i}.png`);
        written.set(path, await writePicture(path, written.size, height, width));
      }
    }
  }
  return written;
}
