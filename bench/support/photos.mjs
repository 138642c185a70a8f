// Photographs for benches, where none may be shipped: JPEG files of any size, made from real images of CIFAR-10. One of them,
// enlarged, gives the large shapes; a mosaic of others in their own size, added at a quarter of its contrast, the
// detail that an enlarged image lacks. Quality 88 and 4:2:0 then come to 0.2 to 0.3 bytes a pixel, as cameras' and
// iNaturalist's files have. Equal arguments give equal files.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createJiti } from 'jiti';
import sharp from 'sharp';
import { randomStream } from '../../dist/src/random.js';

const TILE = 32;
const CONTRAST = 0.25;
const QUALITY = 88;

/**
 * Writes `count` photographs of `width` × `height` pixels into a folder.
 *
 * @returns {Promise<{ path: string, bytes: number }[]>}
 */
export async function writePhotos(folder, { count, width, height }) {
  const { cifar10Folders } = await createJiti(import.meta.url).import('../../test/support/cifar10.ts');
  const root = await cifar10Folders();
  if (root === null) throw new Error('bench: expected the images of CIFAR-10; set TAILMIX_DATA');
  const files = readdirSync(join(root, 'train'))
    .sort()
    .flatMap((name) =>
      readdirSync(join(root, 'train', name))
        .sort()
        .map((file) => join(root, 'train', name, file)),
    );
  const photos = [];
  for (let i = 0; i < count; i++) {
    const random = randomStream('bench', 'photo', width, height, i);
    const draw = () => readFileSync(files[random.integer(files.length)]);
    const path = join(folder, `${width}x${height}-${i}.jpg`);
    const bytes = await photo(draw, width, height);
    writeFileSync(path, bytes);
    photos.push({ path, bytes: bytes.length });
  }
  return photos;
}

async function photo(draw, width, height) {
  const shapes = await sharp(draw()).resize(width, height, { fit: 'fill', kernel: 'cubic' }).raw().toBuffer();
  const [across, down] = [width, height].map((side) => Math.ceil(side / TILE));
  const tiles = Array.from({ length: across * down }, (_, i) => ({
    input: draw(),
    left: (i % across) * TILE,
    top: Math.floor(i / across) * TILE,
  }));
  const canvas = { width: across * TILE, height: down * TILE, channels: 3, background: 'black' };
  const detail = await sharp(await sharp({ create: canvas }).composite(tiles).png({ compressionLevel: 0 }).toBuffer())
    .extract({ left: 0, top: 0, width, height })
    .removeAlpha()
    .raw()
    .toBuffer();
  const pixels = Uint8ClampedArray.from(shapes, (value, i) => value + CONTRAST * (detail[i] - 128));
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: QUALITY })
    .toBuffer();
}
