// A data set of any size for benches: a manifest whose rows name a few small pictures again and again, packed by
// `tailmix data prepare` as the images of any manifest are.
import { createWriteStream, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import sharp from 'sharp';
import { nativeFolder } from '../../dist/src/backend/paths.js';
import { randomStream } from '../../dist/src/random.js';
import { tailmix } from './watch.mjs';

const PICTURES = 64;

/**
 * Writes `manifest.csv`, its pictures and a config into a folder and packs them.
 *
 * @param {string} folder
 * @param {{ train: Int32Array, test: Int32Array, side: number, config: Record<string, any> }} options - classes of the rows;
 *   side of what is packed, in pixels; the config but for where the data are
 * @returns {Promise<{ config: string, env: Record<string, string> }>} what `tailmix train` needs
 */
export async function preparePackedSet(folder, { train, test, side, config }) {
  mkdirSync(join(folder, 'pictures'), { recursive: true });
  for (let i = 0; i < PICTURES; i++) {
    const random = randomStream('bench', 'picture', i);
    const pixels = Uint8Array.from({ length: 48 }, () => random.integer(256));
    await sharp(pixels, { raw: { width: 4, height: 4, channels: 3 } })
      .resize(side, side)
      .jpeg()
      .toFile(join(folder, 'pictures', `${i}.jpg`));
  }
  const lines = function* () {
    yield 'path,label,split\n';
    for (const [split, classes] of Object.entries({ train, test }))
      for (const [i, own] of classes.entries()) yield `pictures/${i % PICTURES}.jpg,Species ${own},${split}\n`;
  };
  await pipeline(Readable.from(lines()), createWriteStream(join(folder, 'manifest.csv')));
  const path = join(folder, 'config.json');
  writeFileSync(path, JSON.stringify({ ...config, data: { name: 'manifest', root: folder, ...config.data } }));
  // A cache folder of its own, with the native build of the user's: all of it goes with the bench.
  const cache = join(folder, 'cache');
  mkdirSync(cache);
  const native = nativeFolder('native');
  if (existsSync(native)) symlinkSync(native, join(cache, basename(native)));
  const env = { TAILMIX_CACHE: cache };
  await tailmix(['data', 'prepare', path], { env });
  return { config: path, env };
}
