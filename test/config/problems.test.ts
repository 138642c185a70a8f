import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { messageOfError } from '../support/message.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const context = { registry, defaults };

/** The report on `run.yaml`. */
async function report(text: string, others: Record<string, string> = {}): Promise<string> {
  await write({ 'run.yaml': text, ...others });
  return messageOfError(() => loadConfig('run.yaml', context));
}

const data = 'data: { name: digits }\nmodel: { name: small-cnn }\n';

describe('one report of everything that is wrong', () => {
  it('names the choices that have an option which the chosen one lacks', async () => {
    const message = await report('data: { name: digits }\nmodel: { name: resnet18-cifar, weights: resnet18.pth }\n');
    expect(message).toContain('model has no option "weights". Options: name, width,');
    expect(message).toMatch(/ "weights" is an option of resnet18, resnet34, .*, vit-base-14\.$/m);
  });

  it('goes over options, plugins and base files, with line, path and a suggestion', async () => {
    const message = await report(
      `extends: base.yaml
nme: x
epochs: 3
seed: -1
data:
  profile: epx
  split: { validation: 1.5 }
plugins:
  - use: mixup
  - use: remix
    kapa: 3
    tau: 2
  - use: remx
`,
      { 'base.yaml': 'data: { name: digits }\nmodel: { name: small-cn }\ntrain:\n  epochs: many\n' },
    );
    expect(message).toMatchInlineSnapshot(`
      "run.yaml:4  seed
        expected a whole number 0 or more, got -1.

      run.yaml:6  data.profile
        expected one of exp, step, none, got "epx". Did you mean "exp"?

      run.yaml:7  data.split.validation
        expected a number 0 or more and below 1, got 1.5.

      base.yaml:2  model.name
        expected one of resnet32, resnet18-cifar, resnet34-cifar, resnet18, resnet34, resnet50, resnet101, resnext50-32x4d, mobilenet-v2, convnext-tiny, vit-tiny-16, vit-small-16, vit-base-16, vit-small-14, vit-base-14, small-cnn, mlp, layers-model, graph-model, got "small-cn". Did you mean "small-cnn"?

      base.yaml:4  train.epochs
        expected a whole number above 0, got "many".

      run.yaml:2  nme
        a run has no option "nme". Did you mean "name"? Options: $schema, extends, name, method, seed, data, model, train, evaluate, backend, plugins, phases, out.

      run.yaml:3  epochs
        a run has no option "epochs". Did you mean "train.epochs"? Options: $schema, extends, name, method, seed, data, model, train, evaluate, backend, plugins, phases, out.

      run.yaml:12  plugins[1].tau
        expected a number from 0 to 1, got 2.

      run.yaml:11  plugins[1].kapa
        remix has no option "kapa". Did you mean "kappa"? Options: kappa, tau.

      run.yaml:13  plugins[2].use
        there is no plugin "remx". Did you mean "remix"? Built in: checkpoint, drw, lr-schedule, mixup, progress, remix, tracking.
        A path starts with ./; a package must be installed."
    `);
  });

  it('names what is required', async () => {
    expect(await report('train: { epochs: 3 }\n')).toMatchInlineSnapshot(`
      "run.yaml  data
        is required: a map with name, options, root, profile, ratio, mu, subsetSeed, split, augment, mean, std, imageSize, packSize, cropFraction, interpolation, pack, exif, features, workers, onCorrupt.

      run.yaml  model
        is required: a map whose name is one of resnet32, resnet18-cifar, resnet34-cifar, resnet18, resnet34, resnet50, resnet101, resnext50-32x4d, mobilenet-v2, convnext-tiny, vit-tiny-16, vit-small-16, vit-base-16, vit-small-14, vit-base-14, small-cnn, mlp, layers-model, graph-model."
    `);
  });

  it('says what is expected of each kind of value', async () => {
    const message = await report(`${data}seed: 1.5
name: 3
backend: cuda
train:
  dropLast: 1
  batchSize: 0
  optimizer: { name: sgd, momentum: 1, nesterv: true }
  precision: [fp32]
evaluate:
  groups: { manyAbove: 3 }
plugins:
  - { use: mixup, alpha: -1, lambda: all }
  - { use: lr-schedule, milestones: [a], gamma: x }
  - { use: remix, kappa: 1 }
`);
    expect(message).toMatchInlineSnapshot(`
      "run.yaml:4  name
        expected text that is not empty, got 3.

      run.yaml:3  seed
        expected a whole number 0 or more, got 1.5.

      run.yaml:8  train.batchSize
        expected a whole number above 0, got 0.

      run.yaml:7  train.dropLast
        expected true or false, got 1.

      run.yaml:9  train.optimizer.momentum
        expected a number 0 or more and below 1, got 1.

      run.yaml:9  train.optimizer.nesterv
        train.optimizer has no option "nesterv". Did you mean "nesterov"? Options: name, learningRate, momentum, nesterov, weightDecay, groups, noDecay, layerDecay.

      run.yaml:10  train.precision
        expected one of fp32, bf16, got ["fp32"].

      run.yaml:12  evaluate.groups
        expected fewBelow to be at most manyAbove + 1, got {"manyAbove":3}.

      run.yaml:5  backend
        expected one of auto, native, native-gpu, wasm, got "cuda".

      run.yaml:14  plugins[0].alpha
        expected a number 0 or more, got -1.

      run.yaml:14  plugins[0].lambda
        expected one of batch, sample, got "all".

      run.yaml:15  plugins[1].milestones[0]
        expected a number 0 or more, got "a".

      run.yaml:15  plugins[1].gamma
        expected a number above 0, or a list, got "x".

      run.yaml:16  plugins[2].kappa
        expected a number above 1, or .inf, got 1."
    `);
  });

  it('knows that options belong to the named model and optimizer', async () => {
    const message = await report(`data: { name: digits }
model: { name: mlp, deth: 2 }
train: { optimizer: { name: adm, momentum: 0.9 } }
`);
    expect(message).toMatchInlineSnapshot(`
      "run.yaml:2  model.deth
        model has no option "deth". Did you mean "depth"? Options: name, width, depth, head, bias, scale, init, reset, freeze, frozenNorm.

      run.yaml:3  train.optimizer.name
        expected one of sgd, adamw, got "adm". Did you mean "adamw"?"
    `);
  });

  it('takes a map where a map is due', async () => {
    expect(await report(`${data}train: 200\nplugins: remix\n`)).toMatchInlineSnapshot(`
      "run.yaml:3  train
        expected a map with epochs, batchSize, replicas, batchNorm, pairs, dropLast, onNaN, reduction, optimizer, precision, device, matmul, step, got 200.

      run.yaml:4  plugins
        expected a list, got "remix"."
    `);
  });
});

describe('plugin entries', () => {
  it('need the name of a plugin', async () => {
    const message = await report(`${data}plugins:
  - remix
  - kappa: 3
  - { use: mixup, enabled: perhaps }
  - 7
`);
    expect(message).toMatchInlineSnapshot(`
      "run.yaml:4  plugins[0]
        expected a map with \`use\`, got "remix". Write \`- use: remix\`.

      run.yaml:5  plugins[1].use
        is required: the name of a plugin, a path or a package.

      run.yaml:6  plugins[2].enabled
        expected true or false, got "perhaps".

      run.yaml:7  plugins[3]
        expected a map with \`use\`, got 7."
    `);
  });

  it('name a file that is there, or a package that is installed', async () => {
    const message = await report(`${data}plugins:
  - use: ./focal.ts
  - use: tailmix-focal
`);
    expect(message).toMatchInlineSnapshot(`
      "run.yaml:4  plugins[0].use
        expected a file at focal.ts; there is none.

      run.yaml:5  plugins[1].use
        there is no plugin "tailmix-focal". Built in: checkpoint, drw, lr-schedule, mixup, progress, remix, tracking.
        A path starts with ./; a package must be installed."
    `);
  });

  const files = {
    'nothing.ts': 'export const plugin = 1;',
    'function.ts': 'export default function focal() {}',
    'called.ts':
      "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'a', options: z.strictObject({}), apply() {} })();",
    'value.ts': 'export default { name: "focal" };',
    'named.ts':
      "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'Focal Loss', options: z.strictObject({}), apply() {} });",
    'reserved.ts':
      "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'a', options: z.strictObject({ use: z.string() }), apply() {} });",
    'throws.ts': 'throw new Error("no license");',
    'import.ts': "import 'not-installed';\nexport default 1;",
  };

  it('find a plugin as default export', async () => {
    const entries = Object.keys(files).map((name) => `  - use: ./${name}\n`);
    expect(await report(`${data}plugins:\n${entries.join('')}`, files)).toMatchInlineSnapshot(`
      "run.yaml:4  plugins[0].use
        ./nothing.ts: expected \`export default definePlugin({ … })\`, got a module without a default export.

      run.yaml:5  plugins[1].use
        ./function.ts: expected \`export default definePlugin({ … })\`, got a function without a definition.

      run.yaml:6  plugins[2].use
        ./called.ts: expected \`export default definePlugin({ … })\`, got a plugin that was already called: export the factory itself.

      run.yaml:7  plugins[3].use
        ./value.ts: expected \`export default definePlugin({ … })\`, got {"name":"focal"}.

      run.yaml:8  plugins[4].use
        ./named.ts: expected \`export default definePlugin({ … })\`, got a plugin whose name is not kebab-case: "Focal Loss".

      run.yaml:9  plugins[5].use
        ./reserved.ts: expected \`export default definePlugin({ … })\`, got "a", whose option "use" has the name of an entry's own key.

      run.yaml:10  plugins[6].use
        ./throws.ts: expected a module that loads; it threw: no license

      run.yaml:11  plugins[7].use
        ./import.ts: expected a module that loads; it threw: Cannot find module 'not-installed'"
    `);
  });

  it('are checked by the schema of a plugin of one’s own', async () => {
    const message = await report(`${data}plugins:\n  - { use: ./plugins/own.ts, weigth: 3, power: 0 }\n`, {
      'plugins/own.ts':
        "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'own', options: z.strictObject({ weight: z.number().default(1), power: z.number().refine((p) => p > 0, 'expected a power above 0') }), apply() {} });",
    });
    expect(message).toMatchInlineSnapshot(`
      "run.yaml:4  plugins[0].power
        expected a power above 0, got 0.

      run.yaml:4  plugins[0].weigth
        own has no option "weigth". Did you mean "weight"? Options: weight, power."
    `);
  });
});

describe('a programmatic config', () => {
  it('is told of paths alone', async () => {
    const input = { data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [{ use: 'drw', beta: 1 }] };
    expect(await messageOfError(() => resolveConfig(input, context))).toMatchInlineSnapshot(`
      "plugins[0].beta
        expected a number 0 or more and below 1, got 1."
    `);
  });

  it('is a map', async () => {
    expect(await messageOfError(() => resolveConfig([], context))).toMatchInlineSnapshot(
      `"config: expected a map of options, got a list."`,
    );
    expect(await messageOfError(() => resolveConfig('run.yaml', context))).toMatchInlineSnapshot(
      `"config: expected a map of options, got "run.yaml"."`,
    );
  });
});
