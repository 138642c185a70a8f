import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { splitSteps } from '../../../src/data/sampler.ts';
import type { Split } from '../../../src/data/types.ts';
import { messageOfError } from '../../support/message.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { BYTES, digest, images, inMemory, make, onDisk, ROWS, splitOf, steps } from './support.ts';

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

  test.each([0, 1])('an image whose checksum differs, with %i workers', async (workers) => {
    const source = await onDisk();
    const checksums = Uint32Array.from({ length: ROWS }, (_, row) =>
      crc32(images.subarray(row * BYTES, (row + 1) * BYTES)),
    );
    const split = splitOf({ ...source, checksums });
    expect(await digest(make({ workers }), split)).toBe(await digest(make({ workers }), splitOf(inMemory())));
    checksums[26]! ^= 1;
    const hide = source.path.slice(0, -'/images'.length);
    expect(await messageOfError(() => digest(make({ workers }), split), hide)).toBe(
      '…/images: expected image 26 as it was packed; its checksum differs. The file was changed or damaged: delete it, and it will be made anew.',
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
  const built = (name: string): string => new URL(`../../../dist/src/data/${name}.js`, import.meta.url).href;
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
