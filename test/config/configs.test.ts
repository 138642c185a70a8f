import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { defaults, registry } from '../../plugins/index.ts';
import { knownPlugins } from '../../src/cli/context.ts';
import { schemaFiles } from '../../src/cli/schema.ts';
import { planRun } from '../../src/compose/compose-run.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { resolveEpoch } from '../../src/plugin.ts';
import { expandSweep } from '../../src/sweep/expand.ts';
import { readSweep } from '../../src/sweep/read.ts';

const context = { registry, defaults };
const files = readdirSync('configs', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => join('configs', file))
  .sort();
const isSweep = (file: string): boolean => file.startsWith(join('configs', 'sweeps'));
const isBase = (file: string): boolean => file.startsWith(join('configs', 'base'));
const sweeps = files.filter(isSweep);
const runs = files.filter((file) => !isSweep(file) && !isBase(file));

const validator = (file: string): ValidateFunction =>
  new Ajv({ allowUnionTypes: true }).compile(JSON.parse(readFileSync(file, 'utf8')) as object);
const validateRun = validator('configs/schema.json');
const validateSweep = validator('configs/sweep-schema.json');

describe('schemas for editors', () => {
  it('are what `npm run schema` writes', async () => {
    for (const [file, text] of Object.entries(await schemaFiles())) expect(readFileSync(file, 'utf8'), file).toBe(text);
  });

  it('describe every option, with its default', () => {
    const schema = JSON.parse(readFileSync('configs/schema.json', 'utf8')) as Schema;
    const undescribed = leavesOf(schema).filter(([, leaf]) => leaf.const === undefined && !leaf.description);
    expect(undescribed.map(([path]) => path)).toEqual([]);
    const entries = schema.properties!.plugins!.items!.anyOf!;
    expect(entries.map(({ title }) => title)).toEqual([...Object.keys(registry), 'plugin of your own']);
  });

  it.each([
    [{ train: { epochs: 0 } }],
    [{ train: { epoch: 3 } }],
    [{ model: { name: 'resnet33' } }],
    [{ plugins: ['remix'] }],
    [{ plugins: [{ use: 'remix', kapa: 3 }] }],
    [{ plugins: [{ use: 'remix', kappa: 1 }] }],
    [{ plugins: [{ use: 'mixup', enabled: 1 }] }],
  ])('refuse %j', (config) => {
    expect(validateRun(config)).toBe(false);
  });

  it.each([
    [{}],
    [{ extends: 'base.yaml', train: { optimizer: { momentum: 0.8 } } }],
    [
      {
        plugins: [
          { use: './own.ts', anything: [1] },
          { use: 'remix', enabled: false },
        ],
      },
    ],
  ])('take %j', (config) => {
    expect(validateRun(config), JSON.stringify(validateRun.errors)).toBe(true);
  });
});

describe.each(files)('%s', (file) => {
  it('names its schema, and is valid by it', () => {
    const schema = join('configs', isSweep(file) ? 'sweep-schema.json' : 'schema.json');
    const [first] = readFileSync(file, 'utf8').split('\n');
    expect(first).toBe(`# yaml-language-server: $schema=${relative(dirname(file), schema)}`);
    const validate = isSweep(file) ? validateSweep : validateRun;
    expect(validate(parse(readFileSync(file, 'utf8'))), JSON.stringify(validate.errors)).toBe(true);
  });
});

it('every run plans without a warning; runs with one plan stand together', async () => {
  const known = await knownPlugins();
  const settings = new Set<string>();
  const plans = new Map<string, string[]>();
  for (const file of runs) {
    const config = await loadConfig(file, { ...context, set: ['data.root=no-data'] });
    const { plan, composition } = await planRun({ ...trainerOptions(config), known });
    expect(composition.warnings, file).toEqual([]);
    expect(config.options.method, file).toBeTruthy();
    expect(config.options.name).toBe(relative('configs', file).replaceAll(/[\\/]/g, '-').replace('.yaml', ''));
    const [, data, classCounts, steps, ...hooks] = plan
      .split('\n')
      .map((line) => line.replace(/^(data|class counts|steps) +/, ''));
    settings.add(`${dirname(file)}\n  ${data}\n  ${classCounts}\n`);
    const { name, head } = config.options.model;
    const group = hooks.join('\n');
    plans.set(group, [...(plans.get(group) ?? []), `${file}: ${name}, ${head}; ${steps}\n`]);
  }
  const groups = [...plans].map(([group, files]) => files.join('') + group);
  await expect([...settings, '\n', groups.join('\n')].join('')).toMatchFileSnapshot('__snapshots__/plans.txt');
});

it.each(sweeps)('%s can be planned', async (file) => {
  const { runs: planned } = await expandSweep(
    await readSweep([file], registry),
    { set: [], backend: 'native', out: null },
    context,
  );
  expect(planned.map(({ label }) => label)).toMatchSnapshot();
  expect(new Set(planned.map(({ directory }) => directory)).size).toBe(planned.length);
});

/** Epochs after which something changes. */
async function moments(
  file: string,
): Promise<{ epochs: number; warmup: number; milestones: number[]; drw: number | null }> {
  const { plugins, options } = await loadConfig(file, { ...context, set: ['data.name=cifar10'] });
  const { epochs } = options.train;
  const find = (name: string) => plugins.find(({ definition }) => definition.name === name)?.options;
  const { warmup, milestones } = find('lr-schedule') as { warmup: number; milestones: number[] };
  const drw = find('drw')?.deferUntil as number | undefined;
  return {
    epochs,
    warmup: resolveEpoch(warmup, epochs),
    milestones: milestones.map((milestone) => resolveEpoch(milestone, epochs)),
    drw: drw === undefined ? null : resolveEpoch(drw, epochs),
  };
}

describe('recipes', () => {
  it('remix-paper-300: the rate falls after 150 and 250, DRW starts after 250', async () => {
    expect(await moments('configs/cifar10/exp-100/remix-drw.yaml')).toEqual({
      epochs: 300,
      warmup: 0,
      milestones: [150, 250],
      drw: 250,
    });
  });

  it('ldam-200: warm-up over 5, the rate falls after 160 and 180', async () => {
    expect(await moments('configs/base/ldam-200.yaml')).toEqual({
      epochs: 200,
      warmup: 5,
      milestones: [160, 180],
      drw: null,
    });
  });

  it('bot-400: warm-up over 5, the rate falls in epochs 320 and 360', async () => {
    expect(await moments('configs/base/bot-400.yaml')).toEqual({
      epochs: 400,
      warmup: 5,
      milestones: [319, 359],
      drw: null,
    });
  });

  it('methods of a setting differ in method, name, plugins and later phases; LDAM in its classifier too', async () => {
    const settings = new Map<string, Set<string>>();
    for (const file of runs.filter((run) => !run.startsWith(join('configs', 'digits')))) {
      const {
        name,
        method,
        plugins,
        model,
        phases: _,
        ...shared
      } = (await loadConfig(file, context)).resolved as unknown as Resolved;
      const setting = JSON.stringify({ ...shared, model: { ...model, head: null } });
      const key = `${dirname(file)} ${shared.data.name}, ${shared.train.epochs} epochs`;
      settings.set(key, (settings.get(key) ?? new Set()).add(setting));
      expect(model.head, file).toBe(plugins.some(({ use }) => use === 'ldam') ? 'cosine' : 'linear');
    }
    expect([...settings].filter(([, { size }]) => size > 1)).toEqual([]);
  });
});

interface Resolved {
  name: string;
  train: { epochs: number };
  phases?: unknown;
  method: string;
  plugins: { use: string }[];
  model: Record<string, unknown>;
  data: { name: string };
}

interface Schema {
  title?: string;
  description?: string;
  const?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
}

/** Options that have none below them. */
function leavesOf(schema: Schema, path = ''): [path: string, leaf: Schema][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, child]): [string, Schema][] => [
    [`${path}.${key}`, child],
    ...leavesOf(child, `${path}.${key}`),
  ]);
  const options = [...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])];
  return [...own, ...options.flatMap((child) => leavesOf(child, `${path}/${child.title ?? ''}`))];
}
