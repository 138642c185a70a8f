import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { defaults, registry } from '../../plugins/index.ts';
import { knownPlugins } from '../../src/cli/context.ts';
import { schemaFiles } from '../../src/cli/schema.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { resolveEpoch } from '../../src/plugin.ts';
import { planRun } from '../../src/prepare.ts';
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

describe.each(runs)('%s', (file) => {
  it('plans without a warning', async () => {
    const config = await loadConfig(file, context);
    const { plan, composition } = await planRun({ ...trainerOptions(config), known: await knownPlugins() });
    expect(composition.warnings).toEqual([]);
    expect(plan).toMatchSnapshot();
    expect(config.options.method).toBeTruthy();
    expect(config.options.name).toBe(relative('configs', file).replaceAll(/[\\/]/g, '-').replace('.yaml', ''));
  });
});

it.each(sweeps)('%s can be planned', async (file) => {
  const { runs: planned } = await expandSweep(
    await readSweep(file, registry),
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
    for (const method of ['erm', 'mixup', 'remix']) {
      expect(await moments(`configs/cifar10/exp-100/${method}.yaml`)).toMatchObject({
        milestones: [150, 250],
        drw: null,
      });
    }
  });

  it('ldam-200: warm-up over 5, the rate falls after 160 and 180', async () => {
    expect(await moments('configs/base/ldam-200.yaml')).toEqual({
      epochs: 200,
      warmup: 5,
      milestones: [160, 180],
      drw: null,
    });
  });

  it('methods of a set differ in method, name and plugins alone', async () => {
    const settings = await Promise.all(
      runs
        .filter((file) => file.startsWith(join('configs', 'cifar10')))
        .map(async (file) => {
          const { name, method, plugins, ...shared } = (await loadConfig(file, context)).resolved;
          return { shared, schedule: (plugins as { use: string }[]).find(({ use }) => use === 'lr-schedule') };
        }),
    );
    for (const setting of settings) expect(setting).toEqual(settings[0]);
  });
});

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
