import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { messageOfError } from '../support/message.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const context = { registry, defaults };

const files = {
  'recipe.yaml': 'train: { epochs: 300, batchSize: 64 }\nplugins: [{ use: mixup }]\n',
  'methods/remix.yaml':
    'extends: ../recipe.yaml\nmethod: Remix\nmodel: { head: cosine }\nplugins: [{ use: mixup }, { use: remix }]\n',
  'data/digits-exp-10.yaml':
    'data: { name: digits, profile: exp, ratio: 10 }\nmodel: { name: small-cnn }\ntrain: { batchSize: 32 }\n',
};
const both = ['methods/remix.yaml', 'data/digits-exp-10.yaml'];

describe('several files', () => {
  it('are layers: later ones win, as in `extends`', async () => {
    await write({ ...files, 'run.yaml': 'extends: [methods/remix.yaml, data/digits-exp-10.yaml]\n' });
    const { options, hash, resolved } = await loadConfig(both, context);
    expect(options).toMatchObject({
      method: 'Remix',
      data: { name: 'digits', ratio: 10 },
      model: { name: 'small-cnn', head: 'cosine' },
      train: { epochs: 300, batchSize: 32 },
    });
    const extending = await loadConfig('run.yaml', context);
    expect(hash).toBe(extending.hash);
    expect({ ...resolved, name: 'run' }).toEqual(extending.resolved);
  });

  it('have their names for the name of the run, unless one of them or the command line sets it', async () => {
    await write({
      ...files,
      'mine.yaml': 'name: mine\n',
      'yours.yaml': 'extends: mine.yaml\n',
      'none.yaml': 'name:\n',
    });
    const nameOf = async (paths: string[], set: string[] = []) =>
      (await loadConfig(paths, { ...context, set })).options.name;
    expect(await nameOf(both)).toBe('remix-digits-exp-10');
    expect(await nameOf([...both, 'mine.yaml'])).toBe('mine');
    expect(await nameOf(['yours.yaml', ...both])).toBe('mine');
    expect(await nameOf(['yours.yaml', ...both, 'none.yaml'])).toBe('yours-remix-digits-exp-10-none');
    expect(await nameOf(both, ['name=set'])).toBe('set');
    expect(await nameOf(['data/digits-exp-10.yaml'])).toBe('run');
  });

  it('give way to --set', async () => {
    await write(files);
    const { options } = await loadConfig(both, { ...context, set: ['train.batchSize=8', 'plugins.remix.kappa=4'] });
    expect(options.train.batchSize).toBe(8);
    expect(options.plugins).toContainEqual({ use: 'remix', kappa: 4 });
  });

  it('are named by messages about what they say', async () => {
    await write({
      ...files,
      'recipe.yaml': 'train:\n  epochs: many\nseed: -1\n',
      'data/digits-exp-10.yaml': 'data:\n  name: digits\n  ratio: 0\nmodel: { name: small-cnn }\nseed: -2\n',
    });
    expect(
      await messageOfError(() => loadConfig(both, { ...context, set: ['plugins.remix.kappa=0'] })),
    ).toMatchInlineSnapshot(`
      "data/digits-exp-10.yaml:5  seed
        expected a whole number 0 or more, got -2.

      data/digits-exp-10.yaml:3  data.ratio
        expected a number 1 or more, got 0.

      recipe.yaml:2  train.epochs
        expected a whole number above 0, got "many".

      --set plugins.remix.kappa=0  plugins[1].kappa
        expected a number above 1, or .inf, got 0."
    `);
  });

  it('say where paths start', async () => {
    await write({
      ...files,
      'methods/own.ts':
        "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'own', options: z.strictObject({}), apply() {} });\n",
      'methods/own.yaml': 'plugins: [{ use: ./own.ts }]\n',
    });
    const { plugins } = await loadConfig(['methods/own.yaml', 'data/digits-exp-10.yaml'], { registry });
    expect(plugins.map(({ definition }) => definition.name)).toEqual(['own']);
  });

  it('must all be there, and configs of one run', async () => {
    await write({ ...files, 'sweep.yaml': 'configs: [methods/remix.yaml]\n' });
    const failure = (...paths: string[]) => messageOfError(() => loadConfig(paths, context));
    expect(await failure('methods/remix.yaml', 'data/none.yaml')).toBe(
      'data/none.yaml: expected a config file; there is none.',
    );
    expect(await failure('sweep.yaml', 'data/digits-exp-10.yaml')).toMatch(/^sweep\.yaml: .* got a sweep/);
  });
});

it('options of a model without a name belong to the name that comes', async () => {
  await write({
    'head.yaml': 'model: { head: cosine }\n',
    'small.yaml': 'data: { name: digits }\nmodel: { name: small-cnn }\n',
    'wide.yaml': 'data: { name: digits }\nmodel: { name: mlp, width: 64 }\n',
  });
  const model = async (...paths: string[]) => (await loadConfig(paths, context)).options.model;
  expect(await model('head.yaml', 'small.yaml')).toEqual(await model('small.yaml', 'head.yaml'));
  expect(await model('head.yaml', 'small.yaml')).toMatchObject({ name: 'small-cnn', head: 'cosine' });
  expect(await model('wide.yaml', 'small.yaml')).toMatchObject({ name: 'small-cnn', width: 16 });
});

it('options of an optimizer without a name are those of SGD, the default', async () => {
  await write({
    'run.yaml': 'data: { name: digits }\nmodel: { name: mlp }\ntrain: { optimizer: { learningRate: 0.3 } }\n',
    'sgd.yaml': 'train: { optimizer: { name: sgd } }\n',
    'adamw.yaml': 'train: { optimizer: { name: adamw } }\n',
  });
  const rate = async (...paths: string[]) => (await loadConfig(paths, context)).options.train.optimizer.learningRate;
  expect(await rate('run.yaml')).toBe(0.3);
  await write({ 'plain.yaml': 'data: { name: digits }\nmodel: { name: mlp }\n' });
  const { options } = await loadConfig('plain.yaml', { ...context, set: ['train.optimizer.learningRate=0.05'] });
  expect(options.train.optimizer).toMatchObject({ name: 'sgd', learningRate: 0.05, momentum: 0.9 });
  expect(await rate('run.yaml', 'sgd.yaml')).toBe(0.3);
  expect(await rate('run.yaml', 'adamw.yaml')).toBe(0.001);
});
