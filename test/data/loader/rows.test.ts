import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { splitSteps } from '../../../src/data/sampler.ts';
import { openAugment } from '../../../src/data/transforms/augment.ts';
import { transformOptions } from '../../../src/data/transforms/options.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { augment, BYTES, digest, images, inMemory, make, onDisk, ROWS, shape, splitOf, steps } from './support.ts';

describe('rows', () => {
  test.each([0, 1, 3])('are the images of the steps, with %i workers', async (workers) => {
    const split = splitOf(inMemory());
    let s = 0;
    for await (const rows of make({ workers }).load(split, steps, 1, false)) {
      const { indices } = steps[s++]!;
      expect(rows.labels).toEqual(indices.map((row) => split.labels[row]!));
      expect([...rows.images]).toEqual(
        [...indices].flatMap((row) => [...images.subarray(row * BYTES, (row + 1) * BYTES)]),
      );
      rows.release();
    }
    expect(s).toBe(10);
  });

  test('are augmented as augment.ts does, by position', async () => {
    const apply = openAugment(augment, shape, 3, 4);
    let s = 0;
    for await (const rows of make().load(splitOf(inMemory()), steps, 4, true)) {
      const { indices, positions } = steps[s++]!;
      const expected = new Uint8Array(indices.length * BYTES);
      for (const [i, row] of indices.entries()) apply(images, row * BYTES, expected, i * BYTES, positions[i]!);
      expect(Buffer.compare(rows.images, expected)).toBe(0);
      rows.release();
    }
  });

  test('of a larger size than the model takes: every transform alike with any number of workers; the centre without', async () => {
    const stored = [8, 7, 3] as const;
    const pixels = Uint8Array.from({ length: ROWS * 168 }, (_, i) => (i * 29) ^ (i >> 3));
    const bytes = new SharedArrayBuffer(pixels.length);
    new Uint8Array(bytes).set(pixels);
    const split = splitOf({ kind: 'memory', bytes, shape: stored });
    const path = join(await temporaryFolder(), 'images');
    await writeFile(path, pixels);
    const file = splitOf({ kind: 'file', path, offset: 0, shape: stored });
    const every = ['color-jitter', 'pca-lighting', 'rand-augment', 'random-resized-crop', 'flip', 'cutout'];
    const own = {
      shape: [5, 4, 3] as const,
      mean: [0.1, 0.2, 0.3],
      augment: every.map((name) => transformOptions.parse(name === 'cutout' ? { name, size: 2 } : { name })),
    };
    const first = await digest(make({ ...own, workers: 0 }), split);
    for (const workers of [1, 2, 3]) {
      expect(await digest(make({ ...own, workers }), split)).toBe(first);
      expect(await digest(make({ ...own, workers }), file)).toBe(first);
    }
    expect(await digest(make(own), split, 2)).not.toBe(first);
    for await (const rows of make(own).load(split, steps, 1, false)) {
      const row = steps[0]!.indices[0]!;
      // torchvision's centre: half of the 3 that are left over is rounded to an even number, 2.
      const expected = [2, 3, 4, 5, 6].flatMap((y) => [
        ...pixels.subarray(row * 168 + (y * 7 + 2) * 3, row * 168 + (y * 7 + 6) * 3),
      ]);
      expect([...rows.images.subarray(0, 60)]).toEqual(expected);
      rows.release();
      break;
    }
  });

  test('do not depend on workers, prefetch, source or run; they do on epoch and seed', async () => {
    const memory = splitOf(inMemory());
    const file = splitOf(await onDisk());
    const first = await digest(make({ workers: 0 }), memory);
    for (const workers of [0, 1, 2, 3]) {
      for (const split of [memory, file]) expect(await digest(make({ workers }), split)).toBe(first);
    }
    expect(await digest(make({ prefetch: 1 }), memory)).toBe(first);
    expect(await digest(make({ workers: 3, prefetch: 2 }), memory)).toBe(first);
    const loader = make({ workers: 2 });
    expect([await digest(loader, memory), await digest(loader, file), await digest(loader, memory)]).toEqual([
      first,
      first,
      first,
    ]);
    expect(await digest(loader, memory, 2)).not.toBe(first);
    expect(await digest(loader, memory, 1, false)).not.toBe(first);
    expect(await digest(make({ seed: 4 }), memory)).not.toBe(first);
  });

  test('an image drawn twice gets two views', async () => {
    const same = splitSteps(new Int32Array(20).fill(8), 20);
    for await (const rows of make().load(splitOf(inMemory()), same, 1, true)) {
      const views = Array.from({ length: 20 }, (_, i) => rows.images.slice(i * BYTES, (i + 1) * BYTES).join());
      expect(new Set(views).size).toBeGreaterThan(10);
      rows.release();
    }
  });

  test('no steps, no rows', async () => {
    for await (const _ of make().load(splitOf(inMemory()), [], 1, true)) expect.unreachable();
  });

  test('a batch stays as it is until it is released', async () => {
    const held = [];
    for await (const rows of make({ prefetch: 3 }).load(splitOf(inMemory()), steps, 1, false)) {
      held.push({ rows, copy: rows.images.slice() });
      if (held.length < 3) continue;
      await new Promise((resolve) => setTimeout(resolve, 5));
      const oldest = held.shift()!;
      expect(Buffer.compare(oldest.rows.images, oldest.copy)).toBe(0);
      oldest.rows.release();
      oldest.rows.release();
    }
  });
});

test('waitMs grows when the consumer waits', async () => {
  for (const workers of [0, 1]) {
    const loader = make({ workers });
    expect(loader.waitMs).toBe(0);
    await digest(loader, splitOf(inMemory()));
    expect(loader.waitMs).toBeGreaterThan(0);
  }
});
