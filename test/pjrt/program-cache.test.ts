import { copyFileSync, readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { programCache, programKey } from '../../src/pjrt/program-cache.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeDevice } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const bytes = (size: number, value: number): Buffer => Buffer.alloc(size, value);

test('gives a program back, and nothing that is damaged, cut short or of another key', async () => {
  const folder = join(await temporaryFolder(), 'programs');
  const cache = programCache(folder);
  expect(cache.read('a')).toBe(null);
  cache.write('a', bytes(100, 1));
  expect(cache.read('a')).toEqual(bytes(100, 1));
  expect(cache.read('b')).toBe(null);
  expect(readdirSync(folder)).toEqual(['a.program']);
  const path = join(folder, 'a.program');
  const whole = readFileSync(path);
  whole[80]! ^= 1;
  writeFileSync(path, whole);
  expect(cache.read('a')).toBe(null);
  for (const size of [100, 10, 0]) {
    truncateSync(path, size);
    expect(cache.read('a')).toBe(null);
  }
  cache.write('a', bytes(100, 2));
  expect(cache.read('a')).toEqual(bytes(100, 2));
});

test('keeps those used last, up to its limit, and leaves what is not its own', async () => {
  const folder = await temporaryFolder();
  const cache = programCache(folder, 300);
  writeFileSync(join(folder, 'notes.txt'), 'mine'.repeat(100));
  for (const [i, key] of ['a', 'b'].entries()) {
    cache.write(key, bytes(68, 1));
    utimesSync(join(folder, `${key}.program`), 1000 + i, 1000 + i);
  }
  expect(cache.read('a')).not.toBe(null);
  cache.write('c', bytes(68, 1));
  cache.write('d', bytes(68, 1));
  expect(readdirSync(folder).sort()).toEqual(['a.program', 'c.program', 'd.program', 'notes.txt']);
});

test('a folder that cannot be written fails nobody', async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  const cache = programCache(join(folder, 'file', 'programs'));
  cache.write('a', bytes(10, 1));
  expect(cache.read('a')).toBe(null);
});

test('a key has all parts, and their borders', () => {
  const keys = [
    ['a', 'b'],
    ['ab', ''],
    ['a', 'b', ''],
    [bytes(1, 97), 'c'],
    ['a', 1],
    ['a', 2],
  ].map(programKey);
  expect(new Set(keys).size).toBe(keys.length);
});

const spec = { shape: [2], dtype: 1 };
const lowered = (op: string) => ({
  text: `module @step {\n func.func public @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n %b = stablehlo.${op} %a, %a : tensor<2xf32>\n return %b : tensor<2xf32>\n }\n}`,
  parameters: [{ kind: 'input' as const, name: 'a', spec, split: false }],
  nextState: [],
  outputs: [{ name: 'b', spec }],
  originOf: () => ({}),
});

describeDevice('compiled programs on disk', (use) => {
  test('are loaded in the place of compiling, and compiled again where they are damaged', async () => {
    const { device } = use();
    const root = await temporaryFolder();
    vi.stubEnv('TAILMIX_CACHE', root);
    const folder = join(root, 'programs');
    const files = (): string[] => readdirSync(folder).map((name) => join(folder, name));
    const computed = (op: string): number[] => {
      const program = device.compile(op, lowered(op));
      const [result] = device.download(device.run(program, [device.upload(Float32Array.of(3, 4), spec)]));
      device.free(program);
      return [...result!];
    };
    expect(computed('add')).toEqual([6, 8]);
    const [sum] = files() as [string];
    expect(computed('add')).toEqual([6, 8]);
    expect(files()).toEqual([sum]);
    expect(computed('multiply')).toEqual([9, 16]);
    const product = files().find((file) => file !== sum)!;
    // What lies under the sum's name is what runs: it is not compiled.
    copyFileSync(product, sum);
    expect(computed('add')).toEqual([9, 16]);
    truncateSync(sum, 40);
    expect(computed('add')).toEqual([6, 8]);
    // Bytes that the plugin does not take back.
    programCache(folder).write(sum.slice(folder.length + 1).replace('.program', ''), bytes(100, 7));
    expect(computed('add')).toEqual([6, 8]);
    expect(computed('add')).toEqual([6, 8]);
  });
});
