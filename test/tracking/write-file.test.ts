import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { writeFileAtomic } from '../../src/tracking/write-file.ts';
import { temporaryFolder } from '../support/temporary.ts';

let isReadWrong = false;

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const createReadStream = (path: string) =>
    isReadWrong ? Readable.from([Buffer.from('something else')]) : fs.createReadStream(path);
  return { ...fs, createReadStream };
});

it('a file that reads back as something else than was written does not replace the one that is there', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'a');
  await writeFileAtomic(path, 'first');
  isReadWrong = true;
  await expect(writeFileAtomic(path, [Buffer.from('sec'), Buffer.from('ond')])).rejects.toMatchObject({
    code: 'WRITE_FAILED',
    message: expect.stringContaining('what was written reads back as something else'),
  });
  expect(await readFile(path, 'utf8')).toBe('first');
  expect(await readdir(folder)).toEqual(['a']);
  isReadWrong = false;
  await writeFileAtomic(path, [Buffer.from('sec'), Buffer.from('ond')]);
  expect(await readFile(path, 'utf8')).toBe('second');
});
