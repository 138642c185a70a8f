import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { messageOfError } from '../support/message.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();

const run = `data: { name: digits }
model: { name: small-cnn }
train: { epochs: 5 }
plugins:
  - use: mixup
  - use: remix
    kappa: 5
  - use: ./plugins/own.ts
`;
const own =
  "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'own', options: z.strictObject({ text: z.string().default('') }), apply() {} });\n";

async function load(...set: string[]) {
  await write({ 'run.yaml': run, 'plugins/own.ts': own });
  return loadConfig('run.yaml', { registry, defaults, set });
}

const pluginOf = (config: Awaited<ReturnType<typeof load>>, name: string) =>
  config.plugins.find(({ definition }) => definition.name === name)?.options;

describe('--set', () => {
  it('wins over the files, the last one over those before', async () => {
    const { options } = await load('train.epochs=7', 'train.epochs=8', 'seed=3', 'name=007 x', 'data.ratio=1e1');
    expect(options).toMatchObject({ train: { epochs: 8 }, seed: 3, name: '007 x', data: { ratio: 10 } });
  });

  it('takes YAML values', async () => {
    const { options } = await load(
      'data.mean=[0.5]',
      'train.optimizer={ name: adamw, beta1: 0.8 }',
      'train.dropLast=true',
    );
    expect(options.data.mean).toEqual([0.5]);
    expect(options.train.optimizer).toMatchObject({ name: 'adamw', beta1: 0.8 });
    expect(options.train.dropLast).toBe(true);
  });

  it('takes an option back to its default by null or nothing', async () => {
    expect((await load('train.epochs=')).options.train.epochs).toBe(200);
    expect((await load('train.epochs=null')).options.train.epochs).toBe(200);
  });

  it('finds a plugin by name, by place and by the name of its file', async () => {
    const config = await load(
      'plugins.remix.kappa=4',
      'plugins[1].tau=0.25',
      'plugins.own.text=hello',
      'plugins.0.alpha=2',
    );
    expect(pluginOf(config, 'remix')).toEqual({ kappa: 4, tau: 0.25 });
    expect(pluginOf(config, 'own')).toEqual({ text: 'hello' });
    expect(pluginOf(config, 'mixup')).toMatchObject({ alpha: 2 });
  });

  it('configures a default, and switches plugins off', async () => {
    const config = await load(
      'plugins.checkpoint.every=5',
      'plugins.progress.enabled=false',
      'plugins.remix.enabled=false',
    );
    expect(pluginOf(config, 'checkpoint')).toMatchObject({ every: 5 });
    expect(config.plugins.map(({ definition }) => definition.name)).toEqual(['mixup', 'own', 'tracking', 'checkpoint']);
    expect(config.resolved.plugins).toContainEqual({ use: 'progress', enabled: false, style: 'auto' });
  });

  it('reaches options of a plugin that was made by a call, which are checked again', async () => {
    await write({
      'run.ts': `import remix from 'tailmix/plugins/remix';
export default { data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [remix({ kappa: 7 })] };
`,
    });
    const config = await loadConfig('run.ts', { registry, set: ['plugins.remix.tau=0.1'] });
    expect(pluginOf(config, 'remix')).toEqual({ kappa: 7, tau: 0.1 });
    expect(
      await messageOfError(() => loadConfig('run.ts', { registry, set: ['plugins.remix.tua=0.1'] })),
    ).toMatchInlineSnapshot(`
      "--set plugins.remix.tua=0.1  plugins[0].tua
        remix has no option "tua". Did you mean "tau"? Options: kappa, tau."
    `);
  });

  it('reaches options of a model that was made by a call, which are checked again', async () => {
    await write({
      'run.ts': `import { defineModel, z } from 'tailmix';
const model = defineModel({ name: 'tiny', options: z.strictObject({ depth: z.int().default(2) }), create() {} });
export const made = model({ depth: 3 });
export default { data: { name: 'digits' }, model: made };
`,
    });
    const { model } = await loadConfig('run.ts', { registry, set: ['model.depth=4', 'model.freeze=[a]'] });
    expect(model!.options).toEqual({ depth: 4, freeze: ['a'] });
    expect((await loadConfig('run.ts', { registry })).model!.options).toEqual({ depth: 3 });
    expect(
      await messageOfError(() => loadConfig('run.ts', { registry, set: ['model.dept=4'] })),
    ).toMatchInlineSnapshot(`
      "--set model.dept=4  model.dept
        tiny has no option "dept". Did you mean "depth"? Options: depth, init, reset, freeze, frozenNorm."
    `);
  });

  it('tells of every setting that does not fit, with all else that is wrong', async () => {
    const message = await messageOfError(() =>
      load(
        'train.epochs',
        '=3',
        'train..epochs=3',
        'train.batchSize=[',
        'plugins.remxi.kappa=4',
        'plugins[9].kappa=4',
        'train.epochs.first=3',
        'data.mean.x=1',
        '__proto__.x=1',
        'train.epoch=3',
        'constructor.prototype.x=1',
        'data.toString=1',
        'train.onNaN={ times: 1 }',
        'model.name=resnet33',
        'plugins.checkpoint.evry=2',
        'plugins.mixup=5',
      ),
    );
    expect(message).toMatchInlineSnapshot(`
      "--set train.epochs
        expected path=value, for example --set train.epochs=3 or --set plugins.remix.kappa=4.

      --set =3
        expected path=value, for example --set train.epochs=3 or --set plugins.remix.kappa=4.

      --set train..epochs=3
        expected path=value, for example --set train.epochs=3 or --set plugins.remix.kappa=4.

      --set train.batchSize=[
        expected a YAML value after the equals sign: Flow sequence must end with a ].

      --set __proto__.x=1
        expected path=value, for example --set train.epochs=3 or --set plugins.remix.kappa=4.

      --set plugins.remxi.kappa=4
        plugins has no entry "remxi". Did you mean "remix"? Entries: mixup, remix, ./plugins/own.ts, progress, tracking, checkpoint.

      --set plugins[9].kappa=4
        expected an index at plugins, a list of 3: plugins[0] is its first entry.

      --set train.epochs.first=3
        expected a map or a list at train.epochs, which is 5.

      --set data.mean.x=1  data.mean
        expected a list of at least 1, got {"x":1}.

      --set data.toString=1  data.toString
        data has no option "toString". Options: name, options, root, profile, ratio, mu, subsetSeed, split, augment, mean, std, imageSize, packSize, cropFraction, interpolation, pack, exif, features, workers, onCorrupt.

      --set model.name=resnet33  model.name
        expected one of resnet32, resnet18-cifar, resnet34-cifar, resnet18, resnet34, resnet50, resnet101, resnext50-32x4d, mobilenet-v2, convnext-tiny, vit-tiny-16, vit-small-16, vit-base-16, vit-small-14, vit-base-14, small-cnn, mlp, layers-model, graph-model, got "resnet33". Did you mean "resnet32"?

      --set train.onNaN={ times: 1 }  train.onNaN.times
        train.onNaN has no option "times". Options: factor, atMost.

      --set train.epoch=3  train.epoch
        train has no option "epoch". Did you mean "epochs"? Options: epochs, batchSize, replicas, batchNorm, pairs, dropLast, onNaN, reduction, optimizer, precision, device, matmul, step.

      --set constructor.prototype.x=1  constructor
        a run has no option "constructor". Options: $schema, extends, name, method, seed, data, model, train, evaluate, backend, plugins, phases, out.

      --set plugins.mixup=5  plugins[0]
        expected a map with \`use\`, got 5.

      --set plugins.checkpoint.evry=2  plugins[3].evry
        checkpoint has no option "evry". Did you mean "every"? Options: every, keep, best, metric, better, full."
    `);
  });
});

describe('defaults', () => {
  it('run after the plugins of the config, in their own order, each once', async () => {
    await write({
      'run.yaml': `data: { name: digits }\nmodel: { name: small-cnn }\nplugins:\n  - { use: checkpoint, keep: 3 }\n  - { use: mixup }\n  - { use: progress, enabled: false }\n`,
    });
    const config = await loadConfig('run.yaml', { registry, defaults });
    expect(config.plugins.map(({ definition }) => definition.name)).toEqual(['mixup', 'tracking', 'checkpoint']);
    expect(pluginOf(config, 'checkpoint')).toMatchObject({ keep: 3, every: 1 });
  });

  it('are none for those who hand none in', async () => {
    await write({ 'run.yaml': 'data: { name: digits }\nmodel: { name: small-cnn }\n' });
    expect((await loadConfig('run.yaml', { registry })).plugins).toEqual([]);
  });
});
