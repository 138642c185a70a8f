import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { createLoader, type LoaderOptions } from '../../src/data/loader/loader.ts';
import { splitSteps } from '../../src/data/sampler.ts';
import { openAugment } from '../../src/data/transforms/augment.ts';
import { transformOptions } from '../../src/data/transforms/options.ts';
import type { Loader, PixelSource, Split } from '../../src/data/types.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const shape = [6, 5, 3] as const;
const BYTES = 90;
const ROWS = 60;
const augment = [
  { name: 'pad-crop', padding: 2 },
  { name: 'flip', probability: 0.5 },
] as const;

const images = Uint8Array.from({ length: ROWS * BYTES }, (_, i) => 1 + ((i * 31 + (i >> 5)) % 255));

function inMemory(): PixelSource {
  const bytes = new SharedArrayBuffer(images.length);
  new Uint8Array(bytes).set(images);
  return { kind: 'memory', bytes };
}

/** A file with 7 bytes before image 0. */
async function onDisk(): Promise<PixelSource & { kind: 'file' }> {
  const path = join(await temporaryFolder(), 'images');
  await writeFile(path, [new Uint8Array(7), images]);
  return { kind: 'file', path, offset: 7 };
}

const splitOf = (pixels: PixelSource): Split => ({
  name: 'train',
  labels: Int32Array.from({ length: ROWS }, (_, row) => row % 7),
  pixels,
});

const order = Int32Array.from({ length: 47 }, (_, i) => (i * 13) % ROWS);
const steps = splitSteps(order, 5);

const loaders: Loader[] = [];
function make(options: Partial<LoaderOptions> = {}): Loader {
  const loader = createLoader({ shape, augment, seed: 3, workers: 1, ...options });
  loaders.push(loader);
  return loader;
}
afterEach(async () => {
  for (const loader of loaders.splice(0)) await loader.close();
});

/** SHA-256 over all rows and labels of an epoch. */
async function digest(loader: Loader, split: Split, epoch = 1, augmented = true): Promise<string> {
  const hash = createHash('sha256');
  for await (const rows of loader.load(split, steps, epoch, augmented)) {
    hash.update(rows.images).update(rows.labels);
    rows.release();
  }
  return hash.digest('hex');
}

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
      const expected = [1, 2, 3, 4, 5].flatMap((y) => [
        ...pixels.subarray(row * 168 + (y * 7 + 1) * 3, row * 168 + (y * 7 + 5) * 3),
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

describe('stopping', () => {
  test('early leaves nothing in flight: the next epoch is whole', async () => {
    const split = splitOf(inMemory());
    const loader = make({ workers: 2 });
    const whole = await digest(loader, split);
    for (let after = 0; after < 6; after++) {
      let seen = 0;
      for await (const rows of loader.load(split, steps, 9, true)) {
        if (seen++ === after) break;
        rows.release();
      }
      expect(await digest(loader, split)).toBe(whole);
    }
  });

  test('by an error of the consumer', async () => {
    const split = splitOf(inMemory());
    const loader = make();
    const failing = async (): Promise<void> => {
      for await (const _ of loader.load(split, steps, 1, true)) throw new Error('step failed');
    };
    await expect(failing()).rejects.toThrow('step failed');
    expect(await digest(loader, split)).toBe(await digest(make({ workers: 0 }), split));
  });

  test('close ends an epoch that waits, and is harmless twice', async () => {
    const slow = pathToFileURL(join(await temporaryFolder(), 'slow.mjs'));
    await writeFile(slow, "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => {});");
    const loader = make({ program: slow });
    const waiting = digest(loader, splitOf(inMemory()));
    waiting.catch(() => {});
    await loader.close();
    await expect(waiting).rejects.toThrow('the loader is closed');
    await loader.close();
  });
});

describe('failing', () => {
  test.each([0, 1, 2])('a file cut off, a missing one, a row that is none, with %i workers', async (workers) => {
    const source = await onDisk();
    await truncate(source.path, 7 + 20 * BYTES + 3);
    const hide = source.path.slice(0, -'/images'.length);
    const message = (split: Split, from = steps): Promise<string> => {
      const loader = make({ workers });
      return messageOfError(async () => {
        for await (const rows of loader.load(split, from, 1, true)) rows.release();
      }, hide);
    };
    expect(await message(splitOf(source), splitSteps(Int32Array.of(20), 1))).toBe(
      '…/images: expected 90 bytes for image 20; got 3. The file was cut off: delete it, and it will be made anew.',
    );
    await rm(source.path);
    expect(await message(splitOf(source))).toBe(
      '…/images: expected a readable file; got "ENOENT: no such file or directory, open \'…/images\'". Check that it is still there.',
    );
    expect(await message(splitOf(inMemory()), splitSteps(Int32Array.of(ROWS), 1))).toBe(
      'internal: row 60 is not in the split',
    );
  });

  test('a thread that dies is an error, not a hang, and stays one', async () => {
    const folder = await temporaryFolder();
    const message = async (source: string): Promise<string> => {
      const program = pathToFileURL(join(folder, `${createHash('md5').update(source).digest('hex')}.mjs`));
      await writeFile(program, `import { parentPort } from 'node:worker_threads';\n${source}`);
      const loader = make({ program, workers: 2 });
      const first = await messageOfError(() => digest(loader, splitOf(inMemory())), program.href);
      expect(await messageOfError(() => digest(loader, splitOf(inMemory())), program.href)).toBe(first);
      return first;
    };
    expect({
      exit: await message("parentPort.on('message', () => process.exit(3));"),
      exitAtOnce: await message('process.exit(0);'),
      throws: await message("parentPort.on('message', () => { throw new Error('out of paper'); });"),
      missing: await messageOfError(
        () => digest(make({ program: pathToFileURL(join(folder, 'none.mjs')) }), splitOf(inMemory())),
        folder,
      ),
    }).toMatchInlineSnapshot(`
      {
        "exit": "data loader: expected its threads to run until closed; one ended with "exit code 3". Set data.workers to 0 to load in the main thread.",
        "exitAtOnce": "data loader: expected its threads to run until closed; one ended with "exit code 0". Set data.workers to 0 to load in the main thread.",
        "missing": "data loader: expected its threads to run until closed; one ended with "Cannot find module '…/none.mjs'". Set data.workers to 0 to load in the main thread.",
        "throws": "data loader: expected its threads to run until closed; one ended with "out of paper". Set data.workers to 0 to load in the main thread.",
      }
    `);
  });

  test('two epochs at once, or batches that are never released', async () => {
    const loader = make({ prefetch: 2 });
    const rows = loader.load(splitOf(inMemory()), steps, 1, true)[Symbol.asyncIterator]();
    await rows.next();
    expect(await messageOfError(() => digest(loader, splitOf(inMemory())))).toBe(
      'internal: a loader loads one epoch at a time',
    );
    await rows.next();
    expect(await messageOfError(() => rows.next())).toBe(
      'internal: 2 batches of the loader are held at once: release them',
    );
    expect(await digest(loader, splitOf(inMemory()))).toHaveLength(64);
  });
});

test('a loader that is not closed does not keep the process alive, nor lets it end while rows are awaited', async () => {
  const built = (name: string): string => new URL(`../../dist/src/data/${name}.js`, import.meta.url).href;
  const script = `
    import { createLoader } from '${built('loader/loader')}';
    import { splitSteps } from '${built('sampler')}';
    const loader = createLoader({ shape: [1, 1, 1], augment: [], seed: 0 });
    const pixels = { kind: 'memory', bytes: new SharedArrayBuffer(9) };
    const split = { name: 'train', labels: new Int32Array(9), pixels };
    let rows = 0;
    for await (const loaded of loader.load(split, splitSteps(new Int32Array(9), 1), 1, true)) {
      rows += loaded.labels.length;
      if (rows === 7) break;
      loaded.release();
    }
    console.log(rows);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe('7\n');
});

test('waitMs grows when the consumer waits', async () => {
  for (const workers of [0, 1]) {
    const loader = make({ workers });
    expect(loader.waitMs).toBe(0);
    await digest(loader, splitOf(inMemory()));
    expect(loader.waitMs).toBeGreaterThan(0);
  }
});
