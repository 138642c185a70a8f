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
import { expandSweep } from '../../src/sweep/expand.ts';
import { readSweep } from '../../src/sweep/read.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { allCells } from '../support/paper-tables.ts';

const context = { registry, defaults };
const files = readdirSync('configs', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => join('configs', file))
  .sort();
const isIn = (file: string, ...folders: string[]): boolean =>
  folders.some((folder) => file.startsWith(join('configs', folder, '/')));
const isSweep = (file: string): boolean => isIn(file, 'sweeps', 'paper');
/** Runs that are one file; others are a method and a data set. */
const runs = files.filter((file) => !isSweep(file) && !isIn(file, 'base', 'methods', 'data'));

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

/** A run, as plans are put together: its method and its data set. */
interface PlannedCell {
  files: string[];
  name: string;
  method: string;
  setting: string;
}

async function allRuns(): Promise<PlannedCell[]> {
  const pathOf = (file: string): string => relative('configs', file).replaceAll('\\', '/').replace('.yaml', '');
  const whole = runs.map((file): PlannedCell => {
    const method = pathOf(file);
    return { files: [file], name: method.replaceAll('/', '-'), method, setting: dirname(method) };
  });
  const cells = (await allCells())
    .filter(({ files }) => files.length > 1)
    .map(({ files, name }): PlannedCell => {
      const [method, setting] = files.map(pathOf);
      return { files, name, method: method!, setting: setting! };
    });
  return [...whole, ...cells];
}

it('every run plans without a warning; runs with one plan are shown together', { timeout: 300_000 }, async () => {
  const known = await knownPlugins();
  const settings = new Map<string, Set<string>>();
  const plans = new Map<string, Map<string, number>>();
  for (const { files, name, method, setting } of await allRuns()) {
    const config = await loadConfig(files, { ...context, set: ['data.root=no-data'] });
    const { plan, composition } = await planRun({ ...trainerOptions(config), known });
    expect(composition.warnings, name).toEqual([]);
    expect(config.options.method, name).toBeTruthy();
    expect(config.options.name).toBe(name);
    const [, data, classCounts, augment, steps, ...hooks] = plan
      .split('\n')
      .map((line) => line.replace(/^(data|class counts|augment|steps) +/, ''));
    const key = `${setting}\n  ${data}\n  ${classCounts}\n  ${augment}`;
    const { model } = config.options;
    settings.set(key, (settings.get(key) ?? new Set()).add(`  ${model.name}; ${steps}`));
    const isSize = (line: string): boolean => /^(adds|parameters|state) /.test(line);
    const group = hooks
      .filter((line) => !isSize(line))
      .join('\n')
      .trim();
    const title = `${method} (${model.head})`;
    const titles = plans.get(group) ?? new Map<string, number>();
    plans.set(group, titles.set(title, (titles.get(title) ?? 0) + 1));
  }
  const common = [...plans.keys()]
    .map((group) => group.split('\n').filter(Boolean))
    .reduce((all, lines) => all.filter((line) => lines.includes(line)));
  const own = (group: string): string[] => group.split('\n').filter((line) => line && !common.includes(line));
  const text = [
    ...[...settings].map(([setting, sizes]) => [setting, ...sizes]),
    ['in every plan', ...common],
    ...[...plans].map(([group, titles]) => [
      ...[...titles].map(([title, count]) => `${title} × ${count}`),
      ...own(group).map((line) => `  ${line}`),
    ]),
  ];
  await expect(`${text.map((lines) => lines.join('\n')).join('\n\n')}\n`).toMatchFileSnapshot(
    '__snapshots__/plans.txt',
  );
});

it.each(files.filter((file) => isIn(file, 'sweeps')))('%s can be planned', async (file) => {
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
  ...files: string[]
): Promise<{ epochs: number; warmup: number; milestones: number[]; drw: number | null }> {
  const { plugins, options } = await loadConfig(files, {
    ...context,
    set: ['data.name=cifar10', 'model.name=resnet32'],
  });
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
    expect(
      await moments('configs/methods/remix-paper-300/remix-drw.yaml', 'configs/data/cifar10-exp-100.yaml'),
    ).toEqual({
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
    for (const { files, name: run, setting: folder } of (await allRuns()).filter((one) => one.setting !== 'digits')) {
      const {
        name,
        method,
        plugins,
        model,
        phases: _,
        ...shared
      } = (await loadConfig(files, context)).resolved as unknown as Resolved;
      const setting = JSON.stringify({ ...shared, model: { ...model, head: null } });
      const key = `${folder} ${shared.data.name}, ${shared.train.epochs} epochs`;
      settings.set(key, (settings.get(key) ?? new Set()).add(setting));
      expect(model.head, run).toBe(plugins.some(({ use }) => use === 'ldam') ? 'cosine' : 'linear');
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
