import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openWeights } from '../../src/weights/index.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { zipOf } from '../support/zip.ts';

const pickle = (...parts: (string | Buffer)[]): Buffer =>
  Buffer.concat([Buffer.of(0x80, 2), ...parts.map((part) => Buffer.from(part)), Buffer.from('.')]);
const text = (value: string): Buffer => Buffer.concat([Buffer.of(0x58, value.length, 0, 0, 0), Buffer.from(value)]);

/** A tuple within a tuple, 100,000 times: what spells it out needs as many calls within calls. */
const deep = Buffer.concat([text('x'), Buffer.alloc(100_000, 0x85)]);

/** A pair of twice the pair before, 60 times: what spells it out writes 2⁶⁰ names. */
const doubled = Buffer.concat([
  text('x'),
  Buffer.of(0x71, 0),
  ...Array.from({ length: 60 }, (_, i) => Buffer.of(0x30, 0x68, i, 0x68, i, 0x86, 0x71, i + 1)),
]);

const legacy = (keys: Buffer): Buffer =>
  Buffer.concat([
    pickle(Buffer.from('8a0a6cfc9c46f920', 'hex'), Buffer.from('6aa85019', 'hex')),
    pickle(Buffer.of(0x4d, 0xe9, 3)),
    pickle('}', text('little_endian'), Buffer.of(0x88), 's'),
    pickle('}', text('w'), tensor(), 's'),
    keys,
  ]);

const long = (n: number): Buffer => Buffer.of(0x4b, n);
const global = (module: string, name: string): string => `c${module}\n${name}\n`;
function tensor(): Buffer {
  const parts = [
    global('torch._utils', '_rebuild_tensor_v2'),
    '((',
    text('storage'),
    global('torch', 'FloatStorage'),
    text('0'),
    text('cpu'),
    long(4),
    'NtQ',
    long(0),
    '(',
    long(4),
    't(',
    long(1),
    Buffer.of(0x74, 0x89, 0x4e, 0x74, 0x52),
  ];
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

test.each([
  ['a key that is nested', deep],
  ['a key that doubles', doubled],
])('%s is named by its kind, in both forms', async (_, key) => {
  const folder = await temporaryFolder();
  const path = join(folder, 'w.pth');
  const refused = async (bytes: Buffer): Promise<string> => {
    await writeFile(path, bytes);
    return messageOfError(() => openWeights(path), folder);
  };
  expect(await refused(zipOf({ 'a/data.pkl': pickle('}', key, 'Ns') }, { stored: true }))).toContain('(keys: a list)');
  expect(await refused(legacy(pickle(']', key, 'a')))).toContain('it has a storage "a list" that no tensor names');
});

test('a pickle larger than that of any network is not read', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'w.pth');
  await writeFile(path, zipOf({ 'a/data.pkl': Buffer.alloc(2 ** 23 + 1, 0x4e) }, { stored: true }));
  expect(await messageOfError(() => openWeights(path), folder)).toContain(
    'its data.pkl has 8388609 bytes, and 8388608 are the most',
  );
});
