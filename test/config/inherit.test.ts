import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { messageOfError } from '../support/message.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();

const base = `data: { name: digits }
model: { name: small-cnn }
plugins:
  - use: ./own.ts
    text: base
  - use: mixup
    alpha: 0.5
  - use: remix
    kappa: 5
    tau: 0.25
`;
const own =
  "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'own', options: z.strictObject({ text: z.string().default('') }), apply() {} });\n";

async function load(child: string, { set = [], more = {} }: { set?: string[]; more?: Record<string, string> } = {}) {
  await write({ 'base/base.yaml': base, 'base/own.ts': own, 'run.yaml': `extends: base/base.yaml\n${child}`, ...more });
  return loadConfig('run.yaml', { registry, defaults, set });
}

const used = ({ plugins }: Awaited<ReturnType<typeof load>>) =>
  plugins.map(({ definition, options }) => [definition.name, options] as const);
const namesOf = (config: Awaited<ReturnType<typeof load>>) => used(config).map(([name]) => name);

describe('plugins as a map', () => {
  it('changes one option of one plugin, and leaves the others and their order', async () => {
    const config = await load('plugins: { remix: { kappa: 4 } }\n');
    expect(used(config).slice(0, 3)).toEqual([
      ['own', { text: 'base' }],
      ['mixup', expect.objectContaining({ alpha: 0.5 })],
      ['remix', { kappa: 4, tau: 0.25 }],
    ]);
  });

  it('takes an option back to its default, a plugin out, and adds others before and behind', async () => {
    const config = await load(
      'plugins:\n  mixup:\n  remix: { tau: null }\n  $prepend: [{ use: ./first.ts, text: a }]\n  $append: [{ use: mixup, alpha: 2 }]\n',
      { more: { 'first.ts': own.replace("name: 'own'", "name: 'first'") } },
    );
    expect(used(config).slice(0, 4)).toEqual([
      ['first', { text: 'a' }],
      ['own', { text: 'base' }],
      ['remix', { kappa: 5, tau: expect.any(Number) }],
      ['mixup', expect.objectContaining({ alpha: 2 })],
    ]);
    expect(used(config)[2]![1]).not.toMatchObject({ tau: 0.25 });
  });

  it('is the same config, with the same hash, as one that writes the list out', async () => {
    const changed = await load('plugins: { own: null, remix: { kappa: 4 } }\n');
    const written = await load('plugins: [{ use: mixup, alpha: 0.5 }, { use: remix, kappa: 4, tau: 0.25 }]\n');
    expect(changed.resolved).toEqual(written.resolved);
    expect(changed.hash).toBe(written.hash);
  });

  it('goes through several layers, a list of which replaces all before', async () => {
    const middle = 'extends: base/base.yaml\nplugins: { own: { text: middle }, mixup: null }\n';
    await write({
      'base/base.yaml': base,
      'base/own.ts': own,
      'middle.yaml': middle,
      'run.yaml': 'extends: middle.yaml\nplugins: { remix: { kappa: 2 }, $append: [{ use: mixup }] }\n',
    });
    const config = await loadConfig('run.yaml', { registry, defaults });
    expect(used(config).slice(0, 3)).toEqual([
      ['own', { text: 'middle' }],
      ['remix', { kappa: 2, tau: 0.25 }],
      ['mixup', expect.anything()],
    ]);
    const layered = await loadConfig(['run.yaml', 'base/base.yaml'], { registry, defaults });
    expect(namesOf(layered).slice(0, 3)).toEqual(['own', 'mixup', 'remix']);
  });

  it('configures what runs unasked, and null switches it off', async () => {
    const names = namesOf(await load('plugins: {}\n'));
    const standard = defaults.map((entry) => ('use' in entry ? entry.use : ''));
    expect(names).toEqual(['own', 'mixup', 'remix', ...standard]);
    const [first] = standard;
    expect(namesOf(await load(`plugins: { ${first}: null }\n`))).toEqual(names.filter((name) => name !== first));
  });

  it('--set finds entries as they are in the end', async () => {
    const config = await load('plugins: { own: null }\n', { set: ['plugins.remix.kappa=7', 'plugins[0].alpha=3'] });
    expect(used(config).slice(0, 2)).toEqual([
      ['mixup', expect.objectContaining({ alpha: 3 })],
      ['remix', { kappa: 7, tau: 0.25 }],
    ]);
  });

  it('tells of a wrong value where it was written: the file, its line, the entry in the end', async () => {
    expect(await messageOfError(() => load('plugins:\n  own: null\n  remix:\n    kappa: many\n'))).toMatch(
      /^run\.yaml:5 {2}plugins\[1\]\.kappa\n {2}expected a number/,
    );
    const lines = await messageOfError(() => load('plugins:\n  mixup: { alpha: x }\n  $append:\n    - use: remixx\n'));
    expect(lines).toContain('run.yaml:3  plugins[1].alpha');
    expect(lines).toContain('run.yaml:5  plugins[3].use');
    const inherited = await messageOfError(() =>
      load('plugins: { own: null }\n', { more: { 'base/base.yaml': base.replace('kappa: 5', 'kappa: many') } }),
    );
    expect(inherited).toContain('base/base.yaml:9  plugins[1].kappa');
  });

  it('refuses what is not inherited, and what is no change', async () => {
    const told = await messageOfError(() =>
      load(
        'plugins:\n  remx: { kappa: 1 }\n  mixup: 3\n  $add: []\n  $append: { use: remix }\n  own: { use: remix }\n',
      ),
    );
    expect(told).toMatchInlineSnapshot(`
      "run.yaml:3  plugins.remx
        no plugin "remx" is inherited. Did you mean "remix"? Inherited: ./own.ts, mixup, remix. $append adds one.

      run.yaml:4  plugins.mixup
        expected options to change, or null to take the plugin out, got 3.

      run.yaml:5  plugins.$add
        expected $prepend or $append or the name of a plugin, got "$add".

      run.yaml:6  plugins.$append
        expected a list of plugins, got {"use":"remix"}.

      run.yaml:7  plugins.own.use
        expected options only. Take the plugin out (null), and add the other by $append."
    `);
  });
});

describe('--set path+=value', () => {
  it('adds a plugin, or several, behind the others', async () => {
    const config = await load('', {
      set: ['plugins.remix.kappa=2', 'plugins+={ use: ./first.ts }'],
      more: { 'first.ts': own.replace("name: 'own'", "name: 'first'") },
    });
    expect(namesOf(config).slice(0, 4)).toEqual(['own', 'mixup', 'remix', 'first']);
  });

  it('makes a list that is not there, and adds to that of data.augment', async () => {
    const config = await load('', {
      set: ['data.augment+={ name: flip }', 'data.augment+={ name: flip, probability: 0.25 }'],
    });
    expect(config.options.data.augment).toMatchObject([{ name: 'flip' }, { name: 'flip', probability: 0.25 }]);
  });

  it('refuses what is no list', async () => {
    expect(await messageOfError(() => load('', { set: ['seed+=1', 'train.epochs+=1', 'model+=1'] }))).toContain(
      '--set model+=1\n  expected a list at model, to which 1 can be added. Without + the value takes its place.',
    );
  });
});

describe('a default of an environment variable', () => {
  it('is a number where one is due: resolved, recorded and hashed as the number', async () => {
    const epochs = (value: string) => load(`train: { epochs: ${value} }\n`);
    const byDefault = await epochs(`'\${env:TAILMIX_TEST_EPOCHS:-7}'`);
    const written = await epochs('7');
    expect(byDefault.options.train.epochs).toBe(7);
    expect(byDefault.resolved).toEqual(written.resolved);
    expect(byDefault.hash).toBe(written.hash);
    expect((await epochs(`'\${env:TAILMIX_TEST_EPOCHS:-8}'`)).hash).not.toBe(written.hash);
    const inPlugin = await load(`plugins: { remix: { kappa: '\${env:TAILMIX_TEST_KAPPA:-4}' } }\n`);
    expect(used(inPlugin)[2]).toEqual(['remix', { kappa: 4, tau: 0.25 }]);
    expect(JSON.stringify(inPlugin.resolved)).not.toContain('env:');
  });
});
