import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openZip } from '../../src/util/zip.ts';
import { temporaryFolder } from '../support/temporary.ts';

const fixture = new URL('../weights/fixtures/model.pth', import.meta.url);

test('entries and their bytes', async () => {
  const zip = await openZip(fixture.pathname);
  const names: string[] = [];
  let version = '';
  for await (const entry of zip.eachEntry()) {
    names.push(entry.fileName);
    if (!entry.fileName.endsWith('/version')) continue;
    for await (const chunk of await zip.openReadStreamPromise(entry)) version += String(chunk);
  }
  zip.close();
  expect(names).toContain('model/data.pkl');
  expect(version).toBe('3\n');
});

test('a position that no file has is an error of the call', async () => {
  const own = await temporaryFolder();
  const bytes = await readFile(fixture);
  // The end of a zip64 file: where the central directory begins.
  const locator = bytes.indexOf('PK\x06\x07', 0, 'latin1');
  bytes.writeBigUInt64LE(2n ** 60n, locator + 8);
  await writeFile(join(own, 'a.zip'), bytes);
  await expect(openZip(join(own, 'a.zip'))).rejects.toThrow(/not in the file/);
});
