import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { PluginRegistry } from '../../src/config/types.ts';
import { createModel, type ModelOptions } from '../../src/models/index.ts';
import { modelSection } from '../../src/models/options.ts';
import { definePlugin, pluginOption } from '../../src/plugin.ts';
import type { PrepareTools } from '../../src/prepare.ts';
import { checkpointPath, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { snapshotAfter } from '../support/tracked-run.ts';
import { defaults, registry as few } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();

/** A plugin that reads a table; it notes what it is given. */
const seen: unknown[] = [];
const costs = definePlugin({
  name: 'costs',
  options: z.strictObject({ file: z.string() }),
  async prepare({ file }, tools) {
    return (await tools.file(file)).toString('utf8').trim().split(',').map(Number);
  },
  extendModel(model, _, __, prepared) {
    seen.push(prepared[0]);
    return model;
  },
  initialWeights({ prepared }) {
    seen.push(prepared[0]);
    return {};
  },
  apply({ prepared }) {
    seen.push(prepared[0]);
  },
});
/** A plugin that reads a network. */
const teacher = definePlugin({
  name: 'teacher',
  options: z.strictObject({ from: z.string(), model: z.looseObject({}).optional() }),
  prepare: ({ from, model }, tools: PrepareTools) => tools.network(from, model),
  apply() {},
});
const registry = {
  ...few,
  costs: async () => ({ default: costs }),
  teacher: async () => ({ default: teacher }),
} as unknown as PluginRegistry;
const load = (path = 'run.yaml') => loadConfig(path, { registry, defaults });
const entryOf = ({ resolved }: { resolved: Record<string, unknown> }) => (resolved.plugins as object[])[0];

const base = 'data: { name: digits }\nmodel: { name: mlp }\nplugins:\n';

describe('files', () => {
  const given = (file: string, content: string) =>
    write({ 'configs/run.yaml': `${base}  - { use: costs, file: ${file} }\n`, 'configs/costs.csv': content });

  test('start from the config, and decide the hash by their content alone', async () => {
    await given('costs.csv', '2,1');
    const first = await load('configs/run.yaml');
    expect(entryOf(first)).toEqual({
      use: 'costs',
      file: './configs/costs.csv',
      pinned: { './configs/costs.csv': { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    });
    expect(first.plugins[0]!.prepared!.value).toEqual([2, 1]);
    await rename('configs/costs.csv', 'moved.csv');
    await write({ 'configs/run.yaml': `${base}  - { use: costs, file: ../moved.csv }\n` });
    expect((await load('configs/run.yaml')).hash).toBe(first.hash);
    await given('costs.csv', '3,1');
    expect((await load('configs/run.yaml')).hash).not.toBe(first.hash);
  });

  test('that are pinned must be what they were', async () => {
    await given('costs.csv', '2,1');
    const first = await load('configs/run.yaml');
    await write({ 'runs/one/config.yaml': stringify(first.resolved) });
    expect((await load('runs/one/config.yaml')).hash).toBe(first.hash);
    await writeFile('configs/costs.csv', '3,1');
    expect(await messageOfError(() => load('runs/one/config.yaml'))).toMatch(
      /\[costs\] prepare: \.\/configs\/costs\.csv: expected a file with SHA-256 \w{12}…, got \w{12}…: it was changed\. Restore it, or remove it from the entry's `pinned`\./,
    );
    await rm('configs/costs.csv');
    expect(await messageOfError(() => load('runs/one/config.yaml'))).toContain(
      '[costs] prepare: expected a file at runs/one/configs/costs.csv; there is none.',
    );
  });

  test('that are switched off are not read; a faulty pin is told with its place', async () => {
    await write({ 'run.yaml': `${base}  - { use: costs, file: none.csv, enabled: false }\n` });
    expect(entryOf(await load())).toEqual({ use: 'costs', enabled: false, file: 'none.csv' });
    await write({ 'run.yaml': `${base}  - { use: costs, file: none.csv, pinned: { none.csv: 3 } }\n` });
    expect(await messageOfError(() => load())).toContain(
      'plugins[0].pinned.none.csv\n  expected a map with sha256, network, got 3.',
    );
  });
});

describe('networks', () => {
  const run = 'runs/first-20260101-000000';
  const path = `${run}/checkpoints/epoch-0002.safetensors`;
  async function givenRun(): Promise<void> {
    const about = { classes: ['a', 'b'], mean: [0.5], std: [0.25] };
    await write({
      [`${run}/config.yaml`]: 'name: first\nmodel: { name: mlp, reset: [classifier] }\n',
      [`${run}/subset.json`]: JSON.stringify(about),
      'run.yaml': `${base}  - { use: teacher, from: first }\n`,
    });
    await writeCheckpoint(checkpointPath(run, 2), snapshotAfter(2));
  }
  const networkOf = async () =>
    (await load()).plugins[0]!.prepared!.value as Awaited<ReturnType<PrepareTools['network']>>;

  test('are pinned with what is known of them, so that a finished run needs neither run nor file', async () => {
    await givenRun();
    const first = await load();
    const { from, pinned } = entryOf(first) as { from: string; pinned: Record<string, { network: object }> };
    expect(from).toBe(path);
    expect(pinned[path]!.network).toMatchObject({ classes: ['a', 'b'], mean: [0.5], std: [0.25] });
    expect(pinned[path]!.network).not.toHaveProperty('model.reset');
    await write({ 'again.yaml': stringify(first.resolved) });
    await rm(run, { recursive: true });
    expect((await load('again.yaml')).hash).toBe(first.hash);
    const model = createModel(modelSection.parse({ name: 'mlp' }) as ModelOptions, {
      classes: 2,
      imageShape: [8, 8, 1],
    });
    const { prepared } = (await load('again.yaml')).plugins[0]!;
    const missing = (prepared!.value as Awaited<ReturnType<typeof networkOf>>).weights(model);
    expect(await messageOfError(() => missing)).toMatch(/^pinned: /);
  });

  test('whose weights have changed, or have more than the network, are refused when they are read', async () => {
    await givenRun();
    const network = await networkOf();
    const { state, weights } = snapshotAfter(2);
    const model = {
      ...tinyModel(),
      weights: weights.map((name) => ({
        name,
        shape: state[name]!.shape,
        kind: 'kernel' as const,
        initial: () => state[name]!.values,
      })),
    };
    expect(Object.keys(await network.weights(model))).toEqual([...weights]);
    expect(await messageOfError(() => network.weights({ ...model, weights: model.weights.slice(1) }))).toContain(
      `plugins of that run have added ${weights[0]}`,
    );
    const other = snapshotAfter(2);
    other.state[weights[0]!]!.values[0]! += 1;
    await writeCheckpoint(checkpointPath(run, 2), other);
    expect(await messageOfError(() => network.weights(model))).toMatch(/^pinned: .*they were changed/);
  });

  test('of a checkpoint that lies alone are not known', async () => {
    await givenRun();
    await mkdir('alone');
    await rename(path, join('alone', 'one.safetensors'));
    await write({ 'run.yaml': `${base}  - { use: teacher, from: alone/one.safetensors }\n` });
    expect(await messageOfError(() => load())).toContain('expected a checkpoint in the folder of its run');
  });
});

test('a plugin that reads a file and holds others has its entry written whole, and read again', async () => {
  const both = definePlugin({
    name: 'both',
    provides: ['mix'],
    options: z.strictObject({ file: z.string(), of: z.array(z.strictObject({ plugin: pluginOption() })) }),
    holds: 'of',
    prepare: async ({ file }, tools) => (await tools.file(file)).length,
    apply() {},
  });
  const context = { registry: { ...registry, both: async () => ({ default: both }) } as PluginRegistry, defaults };
  await write({
    'costs.csv': '2,1',
    'run.yaml': `${base}  - { use: both, file: costs.csv, of: [{ use: mixup, alpha: 0.4 }] }\n`,
  });
  const first = await loadConfig('run.yaml', context);
  expect(entryOf(first)).toMatchObject({ file: './costs.csv', of: [{ use: 'mixup', alpha: 0.4 }] });
  await write({ 'again.yaml': stringify(first.resolved) });
  expect((await loadConfig('again.yaml', context)).hash).toBe(first.hash);
});

test('a plugin made in code is prepared by the trainer, and told everywhere what it read', async () => {
  await write({ 'costs.csv': '7' });
  seen.length = 0;
  await createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins: [costs({ file: 'costs.csv' })],
    train: { epochs: 1, batchSize: 8, step: 'eager' },
  }).run();
  expect(seen).toEqual([7, 7, 7]);
  expect(
    await messageOfError(() =>
      createTrainer({ data: squares(), model: tinyModel(), plugins: [costs({ file: 'no.csv' })] }).run(),
    ),
  ).toBe(
    '[costs] prepare: expected a file at no.csv; there is none. Paths start from the config, or from the working directory.',
  );
});

test('what prepare throws names the plugin; a plugin that is held has none', async () => {
  const broken = definePlugin({
    name: 'broken',
    options: z.strictObject({}),
    provides: ['mix'],
    prepare: () => JSON.parse('{'),
    apply() {},
  });
  const context = { registry, defaults };
  const input = { data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [broken()] };
  expect(await messageOfError(() => resolveConfig(input, context))).toContain('[broken] prepare: ');
  const holder = definePlugin({
    name: 'holder',
    provides: ['mix'],
    options: z.strictObject({ of: z.array(z.strictObject({ plugin: pluginOption() })) }),
    holds: 'of',
    apply() {},
  });
  expect(await messageOfError(() => compose([holder({ of: [{ plugin: broken() }] })], smallInfo()))).toContain(
    'expected a plugin that leaves the model as it is and reads nothing; broken reads files or runs.',
  );
});
