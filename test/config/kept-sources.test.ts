import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig, loadRunConfig } from '../../src/config/load.ts';
import { keepSources, openSources } from '../../src/tracking/sources.ts';
import { userKeyPath } from '../../src/tracking/user-key.ts';
import { messageOfError } from '../support/message.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const context = { registry, defaults };
beforeEach(() => vi.stubEnv('XDG_CONFIG_HOME', resolve('home')));
afterEach(() => vi.unstubAllEnvs());

const plugin = (marks: string) => `import { definePlugin, z } from 'tailmix';
import { mark } from '../lib/mark.ts';
globalThis.marks?.push(mark);
export default definePlugin({ name: 'own', options: z.strictObject({ file: z.string() }),
  prepare: async ({ file }, tools) => \`\${mark} \${await tools.file(file)}\`, apply() {} });
// ${marks}
`;
const project = {
  'run.yaml': `data: { name: digits }\nmodel: { name: mlp }\nplugins:\n  - { use: ./plugins/own.ts, file: table.csv }\n`,
  'plugins/own.ts': plugin('first'),
  'lib/mark.ts': `export const mark = 'kept';\n`,
  'table.csv': '1,2',
  '.env': 'SECRET=1',
  'package.json': '{}',
};

/** A run of the project in `runs/one`. */
async function givenRun() {
  await write(project);
  const config = await loadConfig('run.yaml', context);
  await write({ 'runs/one/config.yaml': stringify(config.resolved) });
  await keepSources(
    'runs/one',
    config.modules,
    config.plugins.flatMap(({ prepared }) => (prepared ? [prepared.pins] : [])),
  );
  return config;
}
const mapKeys = (files: Record<string, string>, place: (path: string) => string) =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [place(path), text]));
const preparedBy = ({ plugins }: { plugins: { prepared?: { value: unknown } }[] }) => plugins[0]!.prepared!.value;

describe('a run keeps', () => {
  test('modules with what they import, as they lie, and what plugins read; nothing else', async () => {
    await givenRun();
    const { modules, files, read, seal } = JSON.parse(await readFile('runs/one/sources/manifest.json', 'utf8'));
    expect(modules).toMatchObject([{ place: './plugins/own.ts', file: 'plugins/own.ts' }]);
    expect(Object.keys(files).sort()).toEqual(['lib/mark.ts', 'package.json', 'plugins/own.ts']);
    expect(read).toHaveLength(1);
    expect(seal).toMatch(/^[0-9a-f]{64}$/);
  });

  test('nothing where nothing is the user’s own', async () => {
    await write({ 'runs/one/config.yaml': '' });
    await keepSources('runs/one', [], []);
    expect(await readFile('runs/one/sources/manifest.json', 'utf8').catch(() => null)).toBeNull();
  });
});

describe('a run is opened', () => {
  test('from any folder, with the same hash', async () => {
    const { hash, resolved } = await givenRun();
    await cp('runs/one', 'elsewhere/one', { recursive: true });
    await Promise.all(['plugins', 'lib', 'table.csv'].map((path) => rm(path, { recursive: true })));
    const config = await loadRunConfig('elsewhere/one', context);
    expect([config.hash, config.resolved, preparedBy(config)]).toEqual([hash, resolved, 'kept 1,2']);
  });

  test('with the kept code where it was changed since, which is told', async () => {
    const { hash } = await givenRun();
    const told: string[] = [];
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation((text) => void told.push(String(text)));
    await writeFile('lib/mark.ts', `export const mark = 'new';\n`);
    await writeFile('table.csv', '3');
    const config = await loadRunConfig('runs/one', context);
    expect([config.hash, preparedBy(config)]).toEqual([hash, 'kept 1,2']);
    expect(told).toEqual([
      './plugins/own.ts was changed since the run: the one that was kept with it is used.',
      './table.csv was changed since the run: the one that was kept with it is used.',
    ]);
    emit.mockRestore();
    expect((await loadConfig('run.yaml', context)).hash).not.toBe(hash);
  });

  test('with the changed code where that is preferred, which is told; the kept one still comes to the same hash', async () => {
    const { hash } = await givenRun();
    const told: string[] = [];
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation((text) => void told.push(String(text)));
    // In another folder: a process loads what lies at one place once.
    const changed = { 'lib/mark.ts': `export const mark = 'newer';\n`, 'table.csv': '4' };
    await write(mapKeys({ ...project, ...changed }, (path) => `other/${path}`));
    process.chdir('other');
    const silent = await loadRunConfig('../runs/one', context, false);
    expect([silent.hash, preparedBy(silent), told]).toEqual([hash, 'kept 1,2', []]);
    const config = await loadRunConfig('../runs/one', { ...context, sources: 'current' });
    expect(preparedBy(config)).toBe('newer 4');
    expect(config.hash).toBe((await loadConfig('run.yaml', context)).hash);
    expect(config.hash).not.toBe(hash);
    expect(told).toEqual([
      './plugins/own.ts was changed since the run: it is used as it is now, not as it was kept.',
      './table.csv was changed since the run: it is used as it is now, not as it was kept.',
    ]);
    emit.mockRestore();
  });

  test('with the kept code where the changed one is preferred and there is none any more', async () => {
    const { hash } = await givenRun();
    await Promise.all(['plugins', 'lib', 'table.csv'].map((path) => rm(path, { recursive: true })));
    const config = await loadRunConfig('runs/one', { ...context, sources: 'current' });
    expect([config.hash, preparedBy(config)]).toEqual([hash, 'kept 1,2']);
  });

  test('by someone else, or where the manifest was changed, only with trust; nothing is executed before', async () => {
    await givenRun();
    await rm('lib', { recursive: true });
    const marks: string[] = [];
    Object.assign(globalThis, { marks });
    const refused = () => messageOfError(() => loadRunConfig('runs/one', context));
    const message =
      'runs/one: expected a run that you have trained on this machine; ./plugins/own.ts of it would be executed, and what is kept with the run does not say that it is yours. Read it, then give --trust.';
    vi.stubEnv('XDG_CONFIG_HOME', resolve('other-home'));
    expect(await refused()).toContain(message);
    vi.stubEnv('XDG_CONFIG_HOME', resolve('home'));
    const path = 'runs/one/sources/manifest.json';
    const manifest = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...manifest, read: [] }));
    expect(await refused()).toContain(message);
    await rm(path);
    expect(await refused()).toContain(message);
    expect(marks).toEqual([]);
    await writeFile(path, JSON.stringify(manifest));
    await rm(userKeyPath());
    expect(preparedBy(await loadRunConfig('runs/one', { ...context, trust: true }))).toBe('kept 1,2');
    expect(marks).toEqual(['kept']);
    Reflect.deleteProperty(globalThis, 'marks');
  });

  test('with kept code that is not what was kept: as a damaged run', async () => {
    await givenRun();
    await writeFile('runs/one/sources/files/lib/mark.ts', 'export const mark = 3;');
    expect(await messageOfError(() => openSources('runs/one'))).toContain('sources/files/lib/mark.ts');
    await writeFile('runs/one/sources/manifest.json', '{');
    expect(await messageOfError(() => openSources('runs/one'))).toContain('manifest.json');
  });

  test('with a package of another version: told, in the place of code that would be another', async () => {
    const dep = (version: string) => ({
      'node_modules/dep/package.json': JSON.stringify({ name: 'dep', version, main: 'index.js' }),
      'node_modules/dep/index.js': `module.exports = '${version}';`,
    });
    await write({ ...project, ...dep('1.0.0'), 'lib/mark.ts': "import dep from 'dep';\nexport const mark = dep;\n" });
    const config = await loadConfig('run.yaml', context);
    await write({ 'runs/one/config.yaml': stringify(config.resolved) });
    await keepSources('runs/one', config.modules, []);
    expect((await loadRunConfig('runs/one', context)).hash).toBe(config.hash);
    await write(dep('1.0.1'));
    expect(await messageOfError(() => loadRunConfig('runs/one', context))).toContain(
      'it is named by an absolute path, or is a package, of which there may be another version now',
    );
  });

  test('with an import that cannot be kept: told, in the place of code that would be another', async () => {
    await write({
      ...project,
      'plugins/own.ts': project['plugins/own.ts'].replace('../lib/mark.ts', join(resolve('lib'), 'mark.ts')),
    });
    const config = await loadConfig('run.yaml', context);
    await write({ 'runs/one/config.yaml': stringify(config.resolved) });
    await keepSources('runs/one', config.modules, []);
    await writeFile('lib/mark.ts', `export const mark = 'new';\n`);
    expect(await messageOfError(() => loadRunConfig('runs/one', context))).toContain(
      './plugins/own.ts: expected the module that was kept with the run to be whole; some of what it imports is not kept',
    );
  });
});
