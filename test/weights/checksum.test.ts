import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as files from 'node:fs/promises';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { checksumWeights } from '../../src/weights/checksum.ts';
import { inTemporaryFolder } from '../support/temporary.ts';

vi.mock('node:fs/promises', { spy: true });

const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** Lets files be as old as those that are never read twice. */
const later = (): void => {
  const now = Date.now();
  vi.spyOn(Date, 'now').mockReturnValue(now + 10_000);
};

describe('the checksum of a file of weights', () => {
  const folder = inTemporaryFolder();

  test('is SHA-256, also of more than is read at a time', async () => {
    const bytes = Buffer.alloc((1 << 20) + 12_345, 'weights');
    await writeFile(join(folder(), 'a.safetensors'), bytes);
    expect(await checksumWeights(join(folder(), 'a.safetensors'))).toBe(sha256(bytes));
  });

  test('is computed once, and again when the file has changed: in its place, by another file, with its old time', async () => {
    const file = join(folder(), 'b.safetensors');
    await writeFile(file, 'one');
    later();
    vi.mocked(files.open).mockClear();
    expect([await checksumWeights(file), await checksumWeights(file)]).toEqual([sha256('one'), sha256('one')]);
    expect(files.open).toHaveBeenCalledOnce();
    const { mtime } = await files.stat(file);
    await writeFile(file, 'two');
    await utimes(file, mtime, mtime);
    expect(await checksumWeights(file)).toBe(sha256('two'));
    await writeFile(`${file}.new`, 'six');
    await utimes(`${file}.new`, mtime, mtime);
    await files.rename(`${file}.new`, file);
    expect(await checksumWeights(file)).toBe(sha256('six'));
    vi.restoreAllMocks();
  });

  test('of a file that was changed a moment ago is not kept: the next change may have the same time', async () => {
    const file = join(folder(), 'c.safetensors');
    await writeFile(file, 'one');
    vi.mocked(files.open).mockClear();
    await checksumWeights(file);
    await checksumWeights(file);
    expect(files.open).toHaveBeenCalledTimes(2);
  });

  test.runIf(process.platform !== 'win32')('of a pipe is refused: it may have no end', async () => {
    const pipe = join(folder(), 'pipe.safetensors');
    execFileSync('mkfifo', [pipe]);
    await expect(checksumWeights(pipe)).rejects.toThrow(
      /pipe\.safetensors: expected a file of weights .*; it is no file\./,
    );
    await expect(checksumWeights(folder())).rejects.toThrow('it is no file');
  });
});
