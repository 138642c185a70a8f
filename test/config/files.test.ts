import { mkdir } from 'node:fs/promises';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { searchPlaces } from '../../src/config/search.ts';
import { messageOfError } from '../support/message.ts';
import { registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const context = { registry };

const yaml = (name: string): string => `name: ${name}\ndata: { name: digits }\nmodel: { name: small-cnn }\n`;
const json = (name: string): string =>
  JSON.stringify({ name, data: { name: 'digits' }, model: { name: 'small-cnn' } }, null, 2);
const script = (name: string): string => `export default ${json(name)};\n`;

const nameOf = async (path?: string): Promise<string> => (await loadConfig(path, context)).options.name;
const failure = (path?: string): Promise<string> => messageOfError(() => loadConfig(path, context), process.cwd());

describe('formats', () => {
  it.each([
    ['run.yaml', yaml],
    ['run.yml', yaml],
    ['run.json', json],
    ['run.ts', script],
    ['run.mts', script],
    ['run.js', script],
    ['run.mjs', script],
    ['run.cjs', (name: string) => `module.exports = ${json(name)};\n`],
    ['package.json', (name: string) => `{ "name": "x", "tailmix": ${json(name)} }`],
  ])('%s', async (file, text) => {
    await write({ [file]: text('mine') });
    expect(await nameOf(file)).toBe('mine');
  });

  it('lets a TypeScript config have types, imports and plugins made by a call', async () => {
    await write({
      'epochs.ts': 'export const epochs: number = 7;\n',
      'run.ts': `import { defineConfig, type RunInput } from 'tailmix';
import mixup from 'tailmix/plugins/mixup';
import { epochs } from './epochs.ts';
const train: RunInput['train'] = { epochs };
export default defineConfig({
  data: { name: 'digits' },
  model: { name: 'small-cnn' },
  train,
  plugins: [mixup({ alpha: 0.4 }), { use: 'remix', kappa: Infinity }],
});
`,
    });
    const { options, plugins, resolved } = await loadConfig('run.ts', context);
    expect(options.train.epochs).toBe(7);
    expect(plugins.map(({ definition, options }) => [definition.name, options])).toEqual([
      ['mixup', { alpha: 0.4, lambda: 'batch' }],
      ['remix', { kappa: Number.POSITIVE_INFINITY, tau: 0.5 }],
    ]);
    const { definition } = (await registry.mixup!()).default;
    expect(plugins[0]!.definition).toBe(definition);
    expect(resolved.plugins).toEqual([
      { use: 'mixup', alpha: 0.4, lambda: 'batch' },
      { use: 'remix', kappa: Number.POSITIVE_INFINITY, tau: 0.5 },
    ]);
  });
});

describe('search', () => {
  it('looks in a written order', async () => {
    const texts: Record<string, (name: string) => string> = {
      yaml,
      yml: yaml,
      json,
      ts: script,
      js: script,
      mjs: script,
      tailmixrc: yaml,
    };
    for (const place of searchPlaces.toReversed()) {
      const text = texts[place.split('.').at(-1)!]!(place);
      await write({ [place]: place === 'package.json' ? `{ "tailmix": ${text} }` : text });
      expect(await nameOf()).toBe(place);
    }
  });

  it('goes up to the first package.json', async () => {
    await write({ 'package.json': '{}', 'tailmix.config.yaml': yaml('above'), 'a/b/.gitkeep': '' });
    const home = process.cwd();
    process.chdir('a/b');
    expect(await nameOf()).toBe('above');
    process.chdir(home);
    await write({ 'a/package.json': '{}' });
    process.chdir('a/b');
    await expect(nameOf()).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND', exitCode: 2 });
    process.chdir(home);
  });

  it('says where it looked', async () => {
    expect(await failure()).toMatchInlineSnapshot(`
      "…: expected a config, found none of tailmix.config.yaml, tailmix.config.yml, tailmix.config.ts, tailmix.config.js, tailmix.config.mjs, tailmix.config.json, .tailmixrc, .tailmixrc.yaml, .tailmixrc.yml, .tailmixrc.ts, .tailmixrc.js, .tailmixrc.mjs, .tailmixrc.json, package.json.
        Name one (\`tailmix train my-run.yaml\`), or make one with \`tailmix init\`."
    `);
  });

  it('does not pass over a package.json that cannot be read', async () => {
    await write({ 'package.json': '{ "name": }' });
    expect(await failure()).toMatch(/^package\.json: .*JSON/s);
  });
});

describe('files that cannot be read', () => {
  it('are missing', async () => {
    expect(await failure('configs/run.yaml')).toMatchInlineSnapshot(
      `"configs/run.yaml: expected a config file; there is none."`,
    );
  });

  it('are folders', async () => {
    await mkdir('configs');
    expect(await failure('configs')).toMatchInlineSnapshot(
      `"configs: expected a config file, got a folder. Name a file in it; for a folder of images, \`npx tailmix init configs\` writes one."`,
    );
  });

  it('have an unknown ending', async () => {
    await write({ 'run.toml': 'name = "x"' });
    expect(await failure('run.toml')).toMatchInlineSnapshot(
      `"run.toml: expected a file ending in .yaml, .yml, .json, .ts, .mts, .js, .mjs or .cjs."`,
    );
  });

  it('repeat a key', async () => {
    await write({ 'run.yaml': 'name: a\ntrain:\n  epochs: 3\n  epochs: 4\n' });
    expect(await failure('run.yaml')).toMatchInlineSnapshot(`
      "run.yaml: Map keys must be unique at line 4, column 3:

        epochs: 3
        epochs: 4
        ^"
    `);
    await write({ 'run.json': '{\n  "name": "a",\n  "name": "b"\n}' });
    expect(await failure('run.json')).toMatchInlineSnapshot(`
      "run.json: Map keys must be unique at line 3, column 3:

        "name": "a",
        "name": "b"
        ^"
    `);
  });

  it('are no YAML', async () => {
    await write({ 'run.yaml': 'name: [a\ntrain: 3\n' });
    expect(await failure('run.yaml')).toMatchInlineSnapshot(`
      "run.yaml: Flow sequence in block collection must be sufficiently indented and end with a ] at line 2, column 1:

      name: [a
      train: 3
      ^"
    `);
    await write({ 'run.yaml': 'name: !secret x\n' });
    expect(await failure('run.yaml')).toMatchInlineSnapshot(`
      "run.yaml: Unresolved tag: !secret at line 1, column 7:

      name: !secret x
            ^^^^^^^"
    `);
  });

  it('are no JSON, which has no comments', async () => {
    await write({ 'run.json': '{ "name": "a" } // mine' });
    expect(await failure('run.json')).toMatch(
      /^run\.json: expected JSON, which has no comments and no trailing commas: /,
    );
  });

  it('hold no map', async () => {
    await write({ 'run.yaml': '- use: remix\n', 'run.ts': 'export const config = {};\n', 'text.yaml': 'remix\n' });
    expect(await failure('run.yaml')).toMatchInlineSnapshot(`"run.yaml: expected a map of options, got a list."`);
    expect(await failure('run.ts')).toMatchInlineSnapshot(
      `"run.ts: export default: expected a map of options, got nothing."`,
    );
    expect(await failure('text.yaml')).toMatchInlineSnapshot(`"text.yaml: expected a map of options, got "remix"."`);
  });

  it('are sweeps, which another command starts', async () => {
    await write({ 'all.yaml': 'configs: [run.yaml]\nseeds: [0, 1]\n' });
    expect(await failure('all.yaml')).toMatchInlineSnapshot(
      `"all.yaml: expected the config of one run, got a sweep. Start it with \`tailmix sweep all.yaml\`."`,
    );
  });

  it('are empty, and lack everything', async () => {
    await write({ 'run.yaml': '' });
    expect(await failure('run.yaml')).toMatchInlineSnapshot(`
      "run.yaml  data
        is required: a map with name, options, root, profile, ratio, mu, subsetSeed, split, augment, mean, std, imageSize, packSize, cropFraction, interpolation, pack, exif, features, workers, onCorrupt.

      run.yaml  model
        is required: a map whose name is one of resnet32, resnet18-cifar, resnet34-cifar, resnet18, resnet34, resnet50, resnet101, resnext50-32x4d, mobilenet-v2, convnext-tiny, vit-tiny-16, vit-small-16, vit-base-16, vit-small-14, vit-base-14, small-cnn, mlp, layers-model, graph-model."
    `);
  });

  it('are scripts that throw', async () => {
    await write({ 'run.ts': "throw new Error('no GPU');\n" });
    expect(await failure('run.ts')).toMatchInlineSnapshot(`"run.ts: expected a module that loads; it threw: no GPU"`);
  });
});

describe('extends', () => {
  it('merges maps, replaces lists and takes null as "the default"', async () => {
    await write({
      'base/schedule.yaml':
        'train: { epochs: 300, batchSize: 64, dropLast: true }\nplugins: [{ use: mixup }, { use: drw }]\n',
      'base/data.ts': "export default { data: { name: 'digits', ratio: 10 }, model: { name: 'small-cnn' } };\n",
      'middle.yaml': 'extends: [base/schedule.yaml, base/data.ts]\ntrain: { batchSize: 32 }\nseed: 5\n',
      'run.yaml': 'extends: ./middle.yaml\ntrain:\n  epochs: 10\n  dropLast:\nplugins: [{ use: remix }]\nseed: null\n',
    });
    const { options, plugins } = await loadConfig('run.yaml', context);
    expect(options.train).toMatchObject({ epochs: 10, batchSize: 32, dropLast: false });
    expect(options.data).toMatchObject({ name: 'digits', ratio: 10 });
    expect(options.seed).toBe(0);
    expect(plugins.map(({ definition }) => definition.name)).toEqual(['remix']);
  });

  it('starts another model or optimizer from its own defaults', async () => {
    await write({
      'base.yaml': `${yaml('base')}train: { optimizer: { name: sgd, learningRate: 0.3, momentum: 0.5 } }\n`,
      'adamw.yaml': 'extends: base.yaml\ntrain: { optimizer: { name: adamw } }\n',
      'sgd.yaml': 'extends: base.yaml\ntrain: { optimizer: { momentum: 0.7 } }\n',
    });
    expect((await loadConfig('adamw.yaml', context)).options.train.optimizer).toMatchObject({
      name: 'adamw',
      learningRate: 1e-3,
    });
    expect((await loadConfig('sgd.yaml', context)).options.train.optimizer).toMatchObject({
      name: 'sgd',
      learningRate: 0.3,
      momentum: 0.7,
    });
  });

  it('reads paths of plugins from the file that names them', async () => {
    await write({
      'base/own.ts':
        "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'own', options: z.strictObject({}), apply() {} });\n",
      'base/run.yaml': `${yaml('base')}plugins: [{ use: ./own.ts }]\n`,
      'run.yaml': 'extends: base/run.yaml\n',
    });
    const { plugins, resolved } = await loadConfig('run.yaml', context);
    expect(plugins[0]!.definition.name).toBe('own');
    expect(resolved.plugins).toEqual([{ use: './base/own.ts' }]);
  });

  it('ends', async () => {
    await write({ 'a.yaml': 'extends: b.yaml\n', 'b.yaml': 'extends: [c.yaml]\n', 'c.yaml': 'extends: b.yaml\n' });
    expect(await failure('a.yaml')).toMatchInlineSnapshot(`
      "b.yaml  extends
        expected a chain that ends; b.yaml → c.yaml → b.yaml is a circle."
    `);
  });

  it('names files', async () => {
    await write({ 'a.yaml': 'name: a\nextends: base/none.yaml\n', 'b.yaml': 'extends: { name: x }\n' });
    expect(await failure('a.yaml')).toMatchInlineSnapshot(`
      "a.yaml:2  extends
        expected a config relative to this file; there is none at base/none.yaml."
    `);
    expect(await failure('b.yaml')).toMatchInlineSnapshot(`
      "b.yaml:1  extends
        expected a path or a list of paths, got {"name":"x"}."
    `);
  });
});
