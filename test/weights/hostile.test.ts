import { execFileSync } from 'node:child_process';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
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

/** A pair, a list of 1,000 times that pair, and a dict of it 1,000 times: a million items of 5 kB. */
const dicts = Buffer.concat([
  Buffer.from(`](${'NN\x86q\x00'}`, 'latin1'),
  Buffer.from('h\x00'.repeat(999), 'latin1'),
  Buffer.from('eq\x01'),
  Buffer.from(global('collections', 'OrderedDict')),
  Buffer.from('q\x02'),
  Buffer.from('h\x02h\x01\x85R'.repeat(1000), 'latin1'),
]);

test.each([
  ['tuples', Buffer.from(')'.repeat(2 ** 19))],
  ['dicts of one list', dicts],
])('a pickle that makes more objects than any network has is refused: %s', async (_, ops) => {
  const folder = await temporaryFolder();
  const path = join(folder, 'w.pth');
  for (const bytes of [zipOf({ 'a/data.pkl': pickle(ops) }, { stored: true }), legacy(pickle(ops))]) {
    await writeFile(path, bytes);
    expect(await messageOfError(() => openWeights(path), folder)).toContain('it makes more than 524288 objects');
  }
});

test('a tensor of more dimensions than PyTorch knows is refused', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'w.pth');
  const of = (dimensions: number): Buffer => {
    const ones = Buffer.concat(Array.from({ length: dimensions }, () => long(1)));
    const parts = tensor()
      .toString('latin1')
      .split(`(${long(4).toString('latin1')}t(${long(1).toString('latin1')}`);
    const shaped = `${parts[0]}(${ones.toString('latin1')}t(${ones.toString('latin1')}${parts[1]}`;
    return zipOf(
      { 'a/data.pkl': pickle('}', text('w'), Buffer.from(shaped, 'latin1'), 's'), 'a/data/0': Buffer.alloc(16) },
      { stored: true },
    );
  };
  await writeFile(path, of(64));
  const most = await openWeights(path);
  expect(most.arrays.get('w')?.shape).toHaveLength(64);
  await most.close();
  await writeFile(path, of(65));
  expect(await messageOfError(() => openWeights(path), folder)).toContain('a tensor has 65 dimensions');
});

test('more arrays than any network has are refused: a header, an index, a zip file; and a header of more bytes', async () => {
  const folder = await temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const names = Array.from({ length: 2 ** 15 + 1 }, (_, i) => `w${i}`);
  const empty = { dtype: 'F32', shape: [0], data_offsets: [0, 0] };
  const header = Buffer.from(JSON.stringify(Object.fromEntries(names.map((name) => [name, empty]))));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await writeFile(at('many.safetensors'), Buffer.concat([length, header]));
  await writeFile(
    at('many.safetensors.index.json'),
    JSON.stringify({ weight_map: Object.fromEntries(names.map((name) => [name, 'many.safetensors'])) }),
  );
  const zip = zipOf({ 'a/data.pkl': pickle('}') }, { stored: true });
  zip.writeUInt16LE(2 ** 15 + 1, zip.length - 12);
  await writeFile(at('many.pth'), zip);
  const file = await open(at('long.safetensors'), 'w');
  await file.truncate(2 ** 24);
  length.writeBigUInt64LE(2n ** 23n + 1n);
  await file.write(Buffer.concat([length, Buffer.from('{')]), 0, 9, 0);
  await file.close();
  const messages = ['many.safetensors', 'many.safetensors.index.json', 'many.pth', 'long.safetensors'].map(
    async (name) => (await messageOfError(() => openWeights(at(name)), folder)).split('; ')[1]!.split('. ')[0],
  );
  expect(await Promise.all(messages)).toEqual([
    'its header describes 32769 arrays, and 32768 are the most',
    'it names 32769 arrays, and 32768 are the most',
    'it has 32769 entries, and 32768 are the most',
    'its header should have 8388609 bytes, and 8388608 are the most',
  ]);
});

test.runIf(process.platform !== 'win32').each([
  ['w.safetensors', 'w.safetensors'],
  ['w.pth', 'w.pth'],
  ['w.safetensors.index.json', 'w.safetensors.index.json'],
  ['w.safetensors.index.json', 'part.safetensors'],
])('%s: a pipe at %s, which never answers, is not opened', async (name, pipe) => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, name), JSON.stringify({ weight_map: { a: 'part.safetensors' } }));
  await rm(join(folder, pipe), { force: true });
  execFileSync('mkfifo', [join(folder, pipe)]);
  expect(await messageOfError(() => openWeights(join(folder, name)))).toMatch(
    /expected a file of weights .*; it is no file\.$/,
  );
});
