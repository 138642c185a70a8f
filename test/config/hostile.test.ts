// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders as configs have them.
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkPlace } from '../../src/cli/context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { expandSweep } from '../../src/sweep/expand.ts';
import { readSweep } from '../../src/sweep/read.ts';
import { createRunDirectory } from '../../src/tracking/run-directory.ts';
import { messageOfError } from '../support/message.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const context = { registry, defaults };
const base = 'data: { name: digits }\nmodel: { name: mlp }\n';
const load = (file: string, set: string[] = []) => loadConfig(file, { ...context, set });
const message = (file: string, set?: string[]) => messageOfError(() => load(file, set), `${process.cwd()}/`);

describe('files that are no config in UTF-8', () => {
  it('a folder, named or extended', async () => {
    await mkdir('folder.yaml');
    await write({ 'run.yaml': `extends: folder.yaml\n${base}` });
    const text =
      'folder.yaml: expected a config file, got a folder. Name a file in it; for a folder of images, `npx tailmix init folder.yaml` writes one.';
    expect(await message('folder.yaml')).toBe(text);
    expect(await message('run.yaml')).toBe(text);
  });

  it('a device, named or extended, and what is too large', async () => {
    await write({ 'run.yaml': 'extends: /dev/zero\n', 'large.yaml': `${base}# ${'x'.repeat(2 ** 24)}` });
    const text = '/dev/zero: expected a config file, got a device. Name a file.';
    expect(await message('/dev/zero')).toBe(text);
    expect(await message('run.yaml')).toBe(text);
    expect(await message('large.yaml')).toBe(
      'large.yaml: expected a config of at most 16 MiB; it is larger. Take out what is no option.',
    );
  });

  it('and a pipe is read to its end', async () => {
    execFileSync('mkfifo', ['pipe.yaml']);
    const [loaded] = await Promise.all([load('pipe.yaml'), writeFile('pipe.yaml', base)]);
    expect(loaded.options.data.name).toBe('digits');
  });

  it('UTF-16, Latin-1, zero bytes', async () => {
    await writeFile('little.yaml', Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(base, 'utf16le')]));
    await writeFile('big.yaml', Buffer.concat([Buffer.of(0xfe, 0xff), Buffer.from(base, 'utf16le').swap16()]));
    await writeFile('bare.yaml', Buffer.from(base, 'utf16le'));
    await writeFile('latin.yaml', Buffer.from(`name: caf\u00e9\n${base}`, 'latin1'));
    expect(await message('little.yaml')).toBe('little.yaml: expected text in UTF-8, got UTF-16. Save it as UTF-8.');
    expect(await message('big.yaml')).toBe('big.yaml: expected text in UTF-8, got UTF-16. Save it as UTF-8.');
    expect(await message('bare.yaml')).toBe(
      'bare.yaml: expected text in UTF-8, got zero bytes, perhaps UTF-16. Save it as UTF-8.',
    );
    expect(await message('latin.yaml')).toBe(
      'latin.yaml: expected text in UTF-8, got other bytes, perhaps Latin-1. Save it as UTF-8.',
    );
  });

  it('and a byte order mark of UTF-8 is taken', async () => {
    await writeFile('run.yaml', `\ufeffname: caf\u00e9\n${base}`);
    expect((await load('run.yaml')).options.name).toBe('caf\u00e9');
  });

  it('several documents', async () => {
    await write({ 'run.yaml': `${base}---\n${base}`, 'one.yaml': `---\n${base}...\n` });
    expect(await message('run.yaml')).toMatchInlineSnapshot(
      `"run.yaml: expected one document, got 2, parted by ---. Keep each run in a file of its own; \`extends\` layers files."`,
    );
    expect((await load('one.yaml')).options.data.name).toBe('digits');
  });

  it('a key twice', async () => {
    await write({ 'run.yaml': `${base}seed: 1\nseed: 2\n` });
    expect(await message('run.yaml')).toContain('Map keys must be unique');
  });
});

describe('values without an end', () => {
  it('of an alias, a script and an object', async () => {
    await write({
      'run.yaml': `${base}plugins: &a [{ use: choose, of: *a }]\n`,
      'run.mjs':
        "const data = { name: 'digits' };\ndata.options = data;\nexport default { data, model: { name: 'mlp' } };\n",
    });
    expect(await message('run.yaml')).toMatchInlineSnapshot(`
      "run.yaml:3  *a
        expected an alias of something that ends before it; &a holds this alias, and has no end."
    `);
    expect(await message('run.mjs')).toMatchInlineSnapshot(
      `"run.mjs: export default: expected a value that ends; it contains itself."`,
    );
    const data: Record<string, unknown> = { name: 'digits' };
    data.options = { list: [data] };
    expect(await messageOfError(() => resolveConfig({ data, model: { name: 'mlp' } }, context))).toMatchInlineSnapshot(
      `"config: expected a value that ends; it contains itself."`,
    );
  });
});

describe('the key __proto__, which checks would drop', () => {
  const message = 'expected another key: __proto__ has a meaning of its own in JavaScript.';
  const tags = (key: string): string =>
    `data: { name: digits }\nmodel: { name: mlp }\nplugins:\n  - use: mlflow\n    tags: { ${key}: x }\n`;

  it.each([
    ['run.yaml', tags('__proto__'), 'run.yaml:5  plugins[0].tags.__proto__'],
    ['run.json', '{ "__proto__": { "seed": 3 } }', 'run.json:1  __proto__'],
    ['run.mjs', 'export default JSON.parse(\'{ "train": { "__proto__": 1 } }\');', 'run.mjs  train.__proto__'],
  ])('in %s', async (name, text, where) => {
    await write({ [name]: text });
    expect(await messageOfError(() => loadConfig(name, context))).toBe(`${where}\n  ${message}`);
  });

  it('in --set', async () => {
    await write({ 'run.yaml': tags('a') });
    const set = ['plugins.mlflow.tags={ __proto__: 1 }'];
    expect(await messageOfError(() => loadConfig('run.yaml', { ...context, set }))).toContain(
      `--set ${set[0]}  plugins.mlflow.tags.__proto__\n  ${message}`,
    );
  });
});

describe('places that only a shell understands', () => {
  it.each([
    ['out', '~/runs'],
    ['data.root', '${HOME}/data'],
    ['model.init', '$HOME/run'],
    ['model.weights', '~/resnet50.safetensors'],
    ['model.weights.file', '~/resnet50.safetensors'],
    ['plugins[0].use', '~/my-plugin.ts'],
  ])('%s: %s', async (path, value) => {
    await write({ 'run.yaml': 'data: { name: digits }\nmodel: { name: resnet18 }\nplugins: [{ use: mixup }]\n' });
    expect(await message('run.yaml', [`${path}=${value}`])).toMatchSnapshot();
  });

  it('extends and --out', async () => {
    await write({ 'run.yaml': `extends: ~/base.yaml\n${base}` });
    expect(await message('run.yaml')).toMatchInlineSnapshot(`
      "run.yaml:1  extends
        expected a path, got "~/base.yaml": only a shell knows ~. Write "\${env:HOME}/base.yaml"."
    `);
    for (const out of ['~', '~/runs', '${HOME}/x', ''])
      expect(() => checkPlace('--out', out)).toThrow(/^--out\n {2}expected/);
    for (const out of ['runs/~x', './~', '/a b']) expect(() => checkPlace('--out', out)).not.toThrow();
  });
});

describe('names that are too long for a folder', () => {
  it('of a run', async () => {
    const folder = await createRunDirectory('runs', 'x'.repeat(300), new Date(0));
    expect(basename(folder)).toBe(`${'x'.repeat(150)}-19700101-000000`);
  });

  it('of a run of a long grid, told apart by its hash', async () => {
    const keys = [
      'train.optimizer.learningRate',
      'train.optimizer.momentum',
      'train.optimizer.weightDecay',
      'train.batchSize',
    ];
    const grid = keys.map(
      (key) => `  ${key}: [${key.endsWith('Size') ? '1, 2' : '0.1234567890123, 0.2345678901234'}]\n`,
    );
    await write({
      [`${'long'.repeat(40)}.yaml`]: `${base}train: { optimizer: { name: sgd } }\n`,
      'sweep.yaml': `configs: [${'long'.repeat(40)}.yaml]\ngrid:\n${grid.join('')}`,
    });
    const sweep = await readSweep(['sweep.yaml'], registry);
    const { runs } = await expandSweep(sweep, { set: [], backend: 'wasm', out: null }, context);
    expect(runs).toHaveLength(16);
    expect(new Set(runs.map(({ directory }) => directory)).size).toBe(16);
    for (const { directory } of runs) expect(basename(directory).length).toBeLessThan(255);
  });

  it('of runs that differ in what decides no result, and in no character of a folder', async () => {
    const roots = [`${'x'.repeat(300)}a`, `${'x'.repeat(300)}b`, 'é', 'è', 'a b', 'ab'];
    await write({
      'run.yaml': base,
      'sweep.yaml': `configs: [run.yaml]\ngrid: { data.root: [${roots.map((name) => `"${name}"`).join(', ')}] }\n`,
    });
    const sweep = await readSweep(['sweep.yaml'], registry);
    const { runs } = await expandSweep(sweep, { set: [], backend: 'wasm', out: null }, context);
    expect(new Set(runs.map(({ hash }) => hash)).size).toBe(1);
    expect(new Set(runs.map(({ directory }) => directory)).size).toBe(roots.length);
  });
});

describe('a file with too much of something is answered at once', () => {
  // Two seconds of processor time: the clock counts other processes too.
  const within = async (seconds: number, work: () => Promise<unknown>): Promise<void> => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(seconds);
  };

  it('20,000 unknown keys', async () => {
    await write({ 'run.yaml': base + Array.from({ length: 20_000 }, (_, i) => `key${i}: 1\n`).join('') });
    await load('run.yaml').catch(() => {});
    await within(2, async () => {
      const text = await message('run.yaml');
      expect(text.split('\n\n')).toHaveLength(21);
      expect(text).toMatch(/run.yaml\n {2}19980 more options that there are not\.$/);
    });
  });

  it('a setting of 20,000 parts', async () => {
    await write({ 'run.yaml': base });
    await within(2, async () => {
      expect(await message('run.yaml', [`${'a.'.repeat(20_000)}b=1`])).toMatch(
        /^--set (a\.)+a?…\n {2}expected path=value/,
      );
    });
  });

  it('nine million runs', async () => {
    const numbers = Array.from({ length: 3000 }, (_, i) => i + 1).join(', ');
    await write({
      'run.yaml': base,
      'sweep.yaml': `configs: [run.yaml]\ngrid: { train.epochs: [${numbers}], train.batchSize: [${numbers}] }\n`,
    });
    await within(2, async () => {
      const sweep = await readSweep(['sweep.yaml'], registry);
      const expanded = () => expandSweep(sweep, { set: [], backend: 'wasm', out: null }, context);
      expect(await messageOfError(expanded)).toBe(
        'sweep sweep: expected at most 10000 runs; configs × settings of the grid × seeds are 9000000. Take values out of `grid`, or make several sweeps.',
      );
    });
  });

  it('18 levels of files that are extended twice each', async () => {
    const level = (i: number) => (i === 0 ? base : `extends: [a${i - 1}.yaml, b${i - 1}.yaml]\nseed: ${i}\n`);
    const files = Array.from({ length: 18 }, (_, i) => [`a${i}.yaml`, `b${i}.yaml`].map((file) => [file, level(i)]));
    await write(Object.fromEntries(files.flat()) as Record<string, string>);
    await within(2, async () => {
      expect((await load('a17.yaml')).options.seed).toBe(17);
    });
  });

  it('wrong plugins by the thousand', async () => {
    const entries = Array.from({ length: 5000 }, (_, i) => `  - { use: nothing${i} }\n`);
    await write({ 'run.yaml': `${base}plugins:\n${entries.join('')}` });
    await within(2, async () => {
      expect((await message('run.yaml')).split('\n\n')).toHaveLength(21);
    });
  });
});

it('a file that two files extend counts where it is last', async () => {
  await write({
    'base.yaml': `${base}seed: 1\ntrain: { epochs: 5 }\n`,
    'a.yaml': 'extends: base.yaml\nseed: 2\n',
    'b.yaml': 'extends: base.yaml\ntrain: { epochs: 7 }\n',
    'run.yaml': 'extends: [a.yaml, b.yaml]\n',
  });
  expect((await load('run.yaml')).options).toMatchObject({ seed: 1, train: { epochs: 7 } });
});
