import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  checkpointEpochs,
  checkpointFolder,
  checkpointPath,
  readCheckpoint,
  readLatest,
  writeCheckpoint,
} from '../../src/tracking/checkpoint.ts';
import { encodeSafetensors } from '../../src/tracking/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

const messageOf = (folder: string) => async (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message.replaceAll(folder, 'RUN').replace(`.${hostname()}.${process.pid}.`, '.PID.'),
  );

async function runWith(...epochs: number[]): Promise<string> {
  const run = await temporaryFolder();
  for (const epoch of epochs) await writeCheckpoint(checkpointPath(run, epoch), snapshotAfter(epoch));
  return run;
}

describe('a checkpoint', () => {
  test('gives back the snapshot bit for bit', async () => {
    const run = await runWith(1);
    expect(await readCheckpoint(checkpointPath(run, 1))).toEqual(snapshotAfter(1));
  });

  test('leaves nothing else in its folder', async () => {
    expect(await readdir(checkpointFolder(await runWith(7)))).toEqual(['epoch-0007.safetensors']);
  });

  test('replaces an older one of the same epoch', async () => {
    const run = await runWith(1);
    await writeCheckpoint(checkpointPath(run, 1), { ...snapshotAfter(1), seconds: 99 });
    expect((await readCheckpoint(checkpointPath(run, 1))).seconds).toBe(99);
  });

  test('is refused when any byte of it changed', async () => {
    const run = await runWith(1);
    const path = checkpointPath(run, 1);
    const whole = await readFile(path);
    for (let i = 0; i < whole.length; i += 7) {
      const changed = Buffer.from(whole);
      changed[i]! ^= 1;
      await writeFile(path, changed);
      await expect(readCheckpoint(path), `byte ${i}`).rejects.toThrow(/expected a (complete|tailmix)/);
    }
  });
});

describe('the latest checkpoint', () => {
  test('is that of the highest epoch', async () => {
    const run = await runWith(9, 10, 8);
    expect(await checkpointEpochs(run)).toEqual([8, 9, 10]);
    const { path, snapshot, damaged } = await readLatest(run);
    expect([path, snapshot.epoch, damaged]).toEqual([checkpointPath(run, 10), 10, []]);
  });

  test('passes over files that are being written or are no checkpoints', async () => {
    const run = await runWith(3);
    await writeFile(join(checkpointFolder(run), '.epoch-0004.safetensors.1.unfinished'), 'x');
    await writeFile(join(checkpointFolder(run), 'best-validation.safetensors'), 'x');
    expect((await readLatest(run)).snapshot.epoch).toBe(3);
  });

  test('is the one before when the newest is cut short', async () => {
    const run = await runWith(1, 2);
    await truncate(checkpointPath(run, 2), 900);
    const { snapshot, damaged } = await readLatest(run);
    expect(snapshot).toEqual(snapshotAfter(1));
    expect(damaged.map(({ code }) => code)).toEqual(['CHECKPOINT_DAMAGED']);
  });
});

test('messages', async () => {
  const run = await runWith(1, 2);
  const message = messageOf(run);
  await truncate(checkpointPath(run, 1), 3);
  const changed = await readFile(checkpointPath(run, 2));
  changed[changed.length - 1]! ^= 1;
  await writeFile(checkpointPath(run, 2), changed);
  expect(await message(readLatest(run))).toMatchInlineSnapshot(`
    "RUN: expected a readable checkpoint, but each of the 2 found is damaged:
      RUN/checkpoints/epoch-0002.safetensors: expected a complete safetensors file; its checksum differs. Use an earlier checkpoint.
      RUN/checkpoints/epoch-0001.safetensors: expected a complete safetensors file; it has 3 bytes. Use an earlier checkpoint.
      Restore one of them, or start the run again in another folder."
  `);
  expect(await message(readLatest(join(run, 'other')))).toMatchInlineSnapshot(
    `"RUN/other: expected a checkpoint in checkpoints/, found none. The run ended before its first one, or ran without the checkpoint plugin; tailmix train --resume starts it from its beginning."`,
  );
  expect(await message(readCheckpoint(join(run, 'none.safetensors')))).toMatchInlineSnapshot(
    `"RUN/none.safetensors: expected a checkpoint; it cannot be read (ENOENT: no such file or directory, stat 'RUN/none.safetensors'). Check the path and its permissions."`,
  );
  await writeFile(join(run, 'model.safetensors'), Buffer.concat(encodeSafetensors({ tensors: {}, metadata: {} })));
  expect(await message(readCheckpoint(join(run, 'model.safetensors')))).toMatchInlineSnapshot(
    `"RUN/model.safetensors: expected a tailmix checkpoint; its format is not named. Point at a file that tailmix wrote below checkpoints/."`,
  );
  await mkdir(checkpointPath(run, 3));
  expect(await message(writeCheckpoint(checkpointPath(run, 3), snapshotAfter(3)))).toMatchInlineSnapshot(
    `"RUN/checkpoints/epoch-0003.safetensors: could not be written (EISDIR: illegal operation on a directory, rename 'RUN/checkpoints/.epoch-0003.safetensors.PID.unfinished' -> 'RUN/checkpoints/epoch-0003.safetensors'). A folder is where a file is needed: choose another place."`,
  );
  expect(await readdir(checkpointFolder(run))).toHaveLength(3);
});
