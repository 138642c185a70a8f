import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { cacheRoot } from '../../src/backend/paths.ts';
import { loadData } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import type { Split } from '../../src/data/types.ts';
import { cifar10Folders } from './cifar10.ts';

const PLANE = 1024;

/** Record bytes of a CIFAR-10 binary file: the label, then red, green and blue planes of an `[32, 32, 3]` image. */
export function cifarRecord(label: number, image: Uint8Array): Uint8Array {
  const record = new Uint8Array(1 + 3 * PLANE);
  record[0] = label;
  for (let i = 0; i < PLANE; i++) {
    for (let c = 0; c < 3; c++) record[1 + c * PLANE + i] = image[3 * i + c]!;
  }
  return record;
}

/**
 * The official binary layout made from real JPEG class folders: data_batch_1…5.bin, test_batch.bin and batches.meta.txt
 * in a folder `cifar-10-batches-bin`. Classes alternate from record to record, as no file of the original is of one
 * class. Made once, in the per-user cache.
 *
 * @returns the folder above `cifar-10-batches-bin`; null where there are no images
 */
export async function cifar10Binary(): Promise<string | null> {
  const images = await cifar10Folders();
  if (images === null) return null;
  const root = join(cacheRoot(), 'test', 'cifar10-binary');
  const folder = join(root, 'cifar-10-batches-bin');
  if (existsSync(folder)) return root;
  const temporary = `${folder}-${process.pid}`;
  await mkdir(temporary, { recursive: true });
  const data = await loadData(dataOptions.parse({ name: 'cifar10', root: images, profile: 'none' }));
  const train = recordsOf(data.train.split);
  for (let file = 0; file < 5; file++) {
    await writeFile(join(temporary, `data_batch_${file + 1}.bin`), train.slice(file * 10_000, (file + 1) * 10_000));
  }
  await writeFile(join(temporary, 'test_batch.bin'), recordsOf(data.test.split));
  await writeFile(join(temporary, 'batches.meta.txt'), `${data.info.classes.join('\n')}\n\n`);
  await rename(temporary, folder);
  return root;
}

function recordsOf({ labels, pixels }: Split): Uint8Array[] {
  if (pixels.kind !== 'memory') throw new Error('expected the images of CIFAR-10 in memory');
  const images = new Uint8Array(pixels.bytes);
  const rows = Array.from(labels, (_, row) => row);
  const inClass = new Int32Array(10);
  const place = rows.map((row) => inClass[labels[row]!]!++);
  rows.sort((a, b) => place[a]! - place[b]! || labels[a]! - labels[b]!);
  return rows.map((row) => cifarRecord(labels[row]!, images.subarray(row * 3 * PLANE, (row + 1) * 3 * PLANE)));
}
