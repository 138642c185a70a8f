import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { canonicalJson } from '../../src/config/identity.ts';
import { loadConfig } from '../../src/config/load.ts';
import { hashModule } from '../../src/config/source-hash.ts';
import { datasets } from '../../src/data/sets/registry.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const context = { registry, defaults };

const own = (body: string): string =>
  `import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'own', options: z.strictObject({}), apply() {${body}} });\n`;
const run =
  'data: { name: digits }\nmodel: { name: small-cnn }\nplugins: [{ use: mixup }, { use: ./own.ts }, { use: remix, kappa: .inf }]\n';

describe('hash of a config', () => {
  it('is the SHA-256 of canonical JSON', () => {
    const text = canonicalJson({ b: [1, Number.POSITIVE_INFINITY, null], a: { d: 'x', c: undefined } });
    expect(text).toBe('{"a":{"d":"x"},"b":[1,"Infinity",null]}');
    // printf '%s' '{"a":{"d":"x"},"b":[1,"Infinity",null]}' | sha256sum
    expect(createHash('sha256').update(text).digest('hex')).toBe(
      '8ed8bf996f62e0bc6b88bba849bd95b26a5981a9fb7aa56cd407ef530eb18ed9',
    );
  });

  it('tells what decides the results from what does not', async () => {
    await write({ 'run.yaml': run, 'own.ts': own('') });
    const hashWith = async (...set: string[]) => (await loadConfig('run.yaml', { ...context, set })).hash;
    const plain = await hashWith();
    expect(plain).toMatch(/^[0-9a-f]{64}$/);
    for (const same of [
      'name=other',
      'method=Other',
      'out=elsewhere',
      'backend=wasm',
      'data.root=/data',
      'data.workers=3',
      'train.step=eager',
      'evaluate.batchSize=7',
      'plugins.checkpoint.every=5',
      'plugins.progress.enabled=false',
      'plugins.mixup.alpha=1',
    ]) {
      expect(await hashWith(same), same).toBe(plain);
    }
    for (const other of [
      'seed=1',
      'train.epochs=3',
      'train.precision=bf16',
      'data.ratio=10',
      'data.subsetSeed=1',
      'evaluate.every=2',
      'plugins.remix.kappa=3',
      'plugins.remix.enabled=false',
      'plugins[0]={ use: drw }',
    ]) {
      expect(await hashWith(other), other).not.toBe(plain);
    }
  });

  it('changes with the file of a plugin, not with its place', async () => {
    await write({ 'run.yaml': run, 'own.ts': own(''), 'moved/run.yaml': run, 'moved/own.ts': own('') });
    const { hash } = await loadConfig('run.yaml', context);
    expect((await loadConfig('moved/run.yaml', context)).hash).toBe(hash);
    await writeFile('own.ts', own(' /* another */ '));
    expect((await loadConfig('run.yaml', context)).hash).not.toBe(hash);
  });

  it('changes with what a plugin file imports from files beside it, and what those import', async () => {
    const chain = {
      'run.yaml': run,
      'own.ts': `import { a } from './helpers/a.js';\n${own(' a(); ')}`,
      'helpers/a.ts': "import table from './table.json';\nexport * from '../b';\nexport const a = () => table;\n",
      'helpers/table.json': '[1]',
      'b/index.ts': "// A circle.\nimport type { a } from '../helpers/a.ts';\nexport type A = typeof a;\n",
      'unused.ts': 'export const b = 1;\n',
    };
    await write(chain);
    const hash = async () => (await loadConfig('run.yaml', context)).hash;
    const first = await hash();
    for (const file of ['helpers/a.ts', 'helpers/table.json', 'b/index.ts'] as const) {
      await writeFile(file, `${chain[file]}\n`);
      expect(await hash(), file).not.toBe(first);
      await writeFile(file, chain[file]);
      expect(await hash(), file).toBe(first);
    }
    await writeFile('unused.ts', 'export const b = 2;\n');
    expect(await hash()).toBe(first);
    await write(Object.fromEntries(Object.entries(chain).map(([file, text]) => [`moved/${file}`, text])));
    expect((await loadConfig('moved/run.yaml', context)).hash).toBe(first);
  });

  it.each([
    ['with a query', "import { a } from './b.ts?x=1';"],
    ['behind a comment', "import { a } from /* why */ './b.ts';"],
    ['by a file URL', () => `import { a } from '${pathToFileURL(resolve('b.ts'))}';`],
    ['by an absolute path', () => `import { a } from '${resolve('b.ts')}';`],
    ['by a name of package.json', "import { a } from '#b';"],
    ['without its ending', "import { a } from './x';"],
    ['as a folder with a package.json', "import { a } from './folder';"],
    ['by a require of another name', "const need = createRequire(import.meta.url); need('./b.ts');"],
    ['as a worker', "new Worker(new URL('./b.ts', import.meta.url));"],
  ])('changes with a module that is named %s', async (_, imports) => {
    const helper = 'export const a = 1;';
    await write({
      'package.json': '{ "imports": { "#b": "./b.ts" } }',
      'b.ts': helper,
      'x.tsx': helper,
      'folder/package.json': '{ "main": "lib/main.js" }',
      'folder/lib/main.js': helper,
      'own.ts': typeof imports === 'string' ? imports : imports(),
    });
    const first = await hashModule(resolve('own.ts'));
    for (const file of ['b.ts', 'x.tsx', 'folder/lib/main.js']) await writeFile(file, 'export const a = 2;');
    expect(await hashModule(resolve('own.ts'))).not.toBe(first);
  });

  it.each([
    ['a package', "import dep from 'dep';", 'dep'],
    ['something in a package', "import { b } from 'dep/b.js';", 'dep'],
    ['a package of a scope, by require', "const dep = require('@team/dep/b');", '@team/dep'],
    ['a package, in a file beside it', "import './b.ts';", 'dep'],
  ])('changes with the version of %s that it imports', async (_, imports, name) => {
    const version = (number: string) =>
      write({ [`node_modules/${name}/package.json`]: JSON.stringify({ name, version: number }) });
    await write({ 'own.ts': imports, 'b.ts': "export * from 'dep';" });
    await version('1.0.0');
    const first = await hashModule(resolve('own.ts'));
    await version('1.0.1');
    expect(await hashModule(resolve('own.ts'))).not.toBe(first);
    await version('1.0.0');
    expect(await hashModule(resolve('own.ts'))).toBe(first);
  });

  it('changes with the version of a package that is a plugin, not with that of tailmix', async () => {
    const hash = async (plugin: string, tailmix: string) => {
      await write({
        'node_modules/own/package.json': JSON.stringify({ name: 'own', version: plugin, main: 'index.cjs' }),
        'node_modules/own/index.cjs': `const { definePlugin, z } = require('tailmix');
exports.default = definePlugin({ name: 'own', options: z.strictObject({}), apply() {} });`,
        'node_modules/tailmix/package.json': JSON.stringify({ name: 'tailmix', version: tailmix }),
        'run.yaml': run.replace('./own.ts', 'own'),
      });
      return (await loadConfig('run.yaml', context)).hash;
    };
    const first = await hash('1.0.0', '0.1.0');
    expect(await hash('1.0.0', '0.2.0')).toBe(first);
    expect(await hash('1.1.0', '0.1.0')).not.toBe(first);
  });

  it('of a plugin file without imports is that of the file alone', async () => {
    await write({ 'own.ts': own('') });
    expect(await hashModule(resolve('own.ts'))).toBe(createHash('sha256').update(own('')).digest('hex'));
  });

  it('and all else is the same for the resolved config, read again from another folder', async () => {
    await write({ 'run.yaml': run, 'own.ts': own('') });
    const first = await loadConfig('run.yaml', { ...context, set: ['plugins.progress.enabled=false', 'out=x'] });
    await write({ 'runs/a/config.yaml': stringify(first.resolved) });
    const second = await loadConfig('runs/a/config.yaml', context);
    expect(second.resolved).toEqual(first.resolved);
    expect(second.hash).toBe(first.hash);
    expect(second.plugins).toEqual(first.plugins);
  });

  it('leaves out augmentation that the data set has by default, which the logged config has', async () => {
    await write({ 'run.yaml': 'data: { name: cifar10 }\nmodel: { name: mlp }\n' });
    const standard = '[{ name: pad-crop, padding: 4 }, { name: flip, probability: 0.5 }]';
    const load = (...set: string[]) => loadConfig('run.yaml', { ...context, set });
    const plain = await load();
    expect(plain.resolved.data).toMatchObject({
      augment: [
        { name: 'pad-crop', padding: 4 },
        { name: 'flip', probability: 0.5 },
      ],
    });
    // The hash of this config before the default was logged.
    expect(plain.hash).toBe('5825c073f55c43ba62c9687d96463d98235ce2fb72f12c8f4bb299ebef197c64');
    expect((await load(`data.augment=${standard}`)).hash).toBe(plain.hash);
    expect((await load('data.augment=[]')).hash).not.toBe(plain.hash);
    expect((await load('data.augment=[{ name: flip }]')).hash).not.toBe(plain.hash);
  });

  it('and hashes rely on what the defaults are: another default needs another hash', async () => {
    const flip = { name: 'flip', probability: 0.5 };
    const known = { cifar10: [{ name: 'pad-crop', padding: 4 }, flip] };
    expect(Object.fromEntries(Object.entries(datasets).map(([name, { augment }]) => [name, augment]))).toEqual({
      ...Object.fromEntries(Object.keys(datasets).map((name) => [name, []])),
      cifar10: known.cifar10,
      cifar100: known.cifar10,
      cinic10: known.cifar10,
      inat2018: [{ name: 'random-resized-crop', scale: [0.08, 1], ratio: [3 / 4, 4 / 3] }, flip],
    });
  });

  it('does not log a ratio or mu that the profile does not use', async () => {
    await write({ 'run.yaml': 'data: { name: digits }\nmodel: { name: mlp }\n' });
    const dataOf = async (...set: string[]) => (await loadConfig('run.yaml', { ...context, set })).resolved.data;
    expect(await dataOf()).toMatchObject({ ratio: 100 });
    expect(await dataOf()).not.toHaveProperty('mu');
    expect(await dataOf('data.profile=step')).toMatchObject({ ratio: 100, mu: 0.5 });
    expect(await dataOf('data.profile=none')).not.toHaveProperty('ratio');
  });
});
