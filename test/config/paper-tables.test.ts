import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { defaults, registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { ResolvedConfig } from '../../src/config/types.ts';
import { resolveEpoch } from '../../src/plugin.ts';
import { expandSweep } from '../../src/sweep/expand.ts';
import { readSweep } from '../../src/sweep/read.ts';
import { allCells, tableCells, tableFile } from '../support/paper-tables.ts';

/** When the learning rate falls and by what; DRW and DRS begin at the last of these epochs. */
interface Schedule {
  epochs: number;
  milestones: [number, number];
  gamma: number;
}
const usual: Schedule = { epochs: 300, milestones: [150, 250], gamma: 0.1 };
const ldam: Schedule = { epochs: 300, milestones: [150, 225], gamma: 0.01 };
const inat90: Schedule = { epochs: 90, milestones: [30, 60], gamma: 0.1 };
const inat200: Schedule = { epochs: 200, milestones: [75, 150], gamma: 0.1 };

/** A method of the paper: its name there, its schedule, and what it adds to plain training. */
type Method = [name: string, schedule: Schedule, ...plugins: string[]];

const methods: readonly Method[] = [
  ['ERM', usual],
  ['Focal', usual, 'focal'],
  ['RW-Focal', usual, 'focal', 'reweight'],
  ['RS', usual, 'resample'],
  ['RW', usual, 'reweight'],
  ['DRS', usual, 'drs'],
  ['DRW', usual, 'drw'],
  ['LDAM', ldam, 'ldam'],
  ['LDAM-DRW', ldam, 'ldam', 'drw'],
  ['Mixup', usual, 'mixup'],
  ['Mixup-DRS', usual, 'mixup', 'drs'],
  ['Mixup-DRW', usual, 'mixup', 'drw'],
  ['CutMix', usual, 'cutmix'],
  ['Manifold-Mixup', usual, 'manifold-mixup'],
  ['BBN', usual, 'bbn'],
  ['Remix', usual, 'mixup', 'remix'],
  ['Remix-CM', usual, 'cutmix', 'remix'],
  ['Remix-MM', usual, 'manifold-mixup', 'remix'],
  ['Remix-RS', usual, 'mixup', 'remix', 'resample'],
  ['Remix-RW', usual, 'mixup', 'remix', 'reweight'],
  ['Remix-DRS', usual, 'mixup', 'remix', 'drs'],
  ['Remix-DRW', usual, 'mixup', 'remix', 'drw'],
  ['Remix-LDAM-DRS', ldam, 'mixup', 'remix', 'ldam', 'drs'],
  ['Remix-LDAM-DRW', ldam, 'mixup', 'remix', 'ldam', 'drw'],
];

const onInaturalist: readonly Method[] = [
  ['ERM', inat90],
  ['RW-Focal', inat90, 'focal', 'reweight'],
  ['Mixup', inat90, 'mixup'],
  ['Remix', inat90, 'mixup', 'remix'],
  ['LDAM-DRW', inat90, 'ldam', 'drw'],
  ['BBN', inat200, 'bbn'],
  ['LWS-200', inat200],
  ['LDAM-DRW-200', inat200, 'ldam', 'drw'],
  ['Remix-DRS-200', inat200, 'mixup', 'remix', 'drs'],
  ['Remix-DRW-200', inat200, 'mixup', 'remix', 'drw'],
];

/** By the paper's conventions, and those of configs/README.md where it has none. */
const options: Readonly<Record<string, object>> = {
  mixup: { alpha: 1, lambda: 'batch' },
  'manifold-mixup': { stages: ['input', 'stage1', 'stage2'], alpha: 2, lambda: 'batch' },
  cutmix: { alpha: 1, probability: 1 },
  remix: { kappa: 3, tau: 0.5 },
  ldam: { maxMargin: 0.5, scale: 30 },
  focal: { gamma: 1 },
  drw: { beta: 0.9999 },
  drs: { beta: 0.9999, weights: 'effective-number' },
  reweight: { beta: 0.9999, weights: 'effective-number' },
  resample: { beta: 0.9999, weights: 'effective-number' },
  bbn: { beta: 0.9999, weights: 'reverse', schedule: 'parabolic' },
};
const inaturalistOptions = {
  ...options,
  mixup: { alpha: 0.4, lambda: 'batch' },
  ldam: { maxMargin: 0.3, scale: 30 },
};

/** A column: its name in the configs, and what all of its cells have. */
interface Column {
  name: string;
  data: { name: string; profile: string; ratio?: number };
  model: string;
}

const columns = (name: string, model: string, ratios: readonly number[], suffix = ''): Column[] =>
  ['exp', 'step'].flatMap((profile) =>
    ratios.map((ratio) => ({ name: `${name}-${profile}-${ratio}${suffix}`, data: { name, profile, ratio }, model })),
  );
const cifar = [...columns('cifar10', 'resnet32', [100, 10]), ...columns('cifar100', 'resnet32', [100, 10])];

/** Tables 1, 2, 4 and 5 of Chou et al. 2020: rows and columns. */
const tables: Readonly<Record<number, { rows: string; columns: readonly Column[] }>> = {
  1: {
    rows: 'ERM Focal RW-Focal DRS DRW LDAM LDAM-DRW Mixup Remix BBN Remix-LDAM-DRW Remix-LDAM-DRS Remix-RS Remix-RW Remix-DRS Remix-DRW',
    columns: cifar,
  },
  2: {
    rows: 'ERM RS RW DRW DRS Mixup Remix LDAM-DRW Remix-DRS Remix-DRW',
    columns: columns('cinic10', 'resnet18-cifar', [200, 100, 50, 10]),
  },
  4: {
    rows: 'Mixup-DRW Remix-DRW Mixup-DRS Remix-DRS',
    columns: columns('cifar10', 'resnet18-cifar', [100], '-resnet18'),
  },
  5: { rows: 'ERM Mixup Remix Manifold-Mixup Remix-MM CutMix Remix-CM', columns: cifar },
};

const stem = (file: string): string => basename(file, '.yaml');

describe.each(Object.entries(tables))('table %s', (table, { rows, columns }) => {
  it('is the grid of its rows and columns', async () => {
    const cells = await tableCells(Number(table));
    const grid = rows.split(' ').flatMap((row) => columns.map(({ name }) => `${row.toLowerCase()}-${name}`));
    expect(cells.map(({ name }) => name)).toEqual(grid);
  });

  it('runs in each cell what row and column say', async () => {
    for (const { files } of await tableCells(Number(table))) {
      const [method, data] = files.map(stem);
      const [name, schedule, ...plugins] = methods.find(([row]) => row.toLowerCase() === method)!;
      const column = columns.find((one) => one.name === data)!;
      const config = await loadConfig(files, { registry, defaults: [] });
      expect(config.options, config.options.name).toMatchObject({
        name: `${method}-${data}`,
        method: name,
        data: column.data,
        model: { name: column.model },
      });
      expect(configured(config), config.options.name).toEqual(expected(schedule, plugins, options));
      expect(config.options.train.batchSize).toBe(128);
      expect(config.phases).toBeNull();
      // Neither says what the other does, so that their order decides the name alone.
      expect((await loadConfig(files.toReversed(), { registry, defaults: [] })).hash).toBe(config.hash);
    }
  });
});

describe('table 3', () => {
  it('has the methods of the paper, each in a file of its own', async () => {
    const cells = await tableCells(3);
    expect(cells.map(({ name }) => name)).toEqual(onInaturalist.map(([name]) => name.toLowerCase()));
  });

  it('runs in each cell what its row says', async () => {
    for (const [i, { files }] of (await tableCells(3)).entries()) {
      const [name, schedule, ...plugins] = onInaturalist[i]!;
      const config = await loadConfig(files, { registry, defaults: [] });
      expect(config.options, name).toMatchObject({
        name: `inat2018-none-500-${name.toLowerCase()}`,
        method: name,
        data: { name: 'inat2018', profile: 'none' },
        model: { name: 'resnet50' },
      });
      expect(configured(config), name).toEqual(expected(schedule, plugins, inaturalistOptions));
      expect(config.options.train.batchSize).toBe(256);
      expect(config.phases === null, name).toBe(name !== 'LWS-200');
    }
  });

  it('ends LWS with five epochs of a scale for each class, on a balanced draw (Kang et al. 2020)', async () => {
    const { phases } = await loadConfig('configs/inat2018/none-500/lws-200.yaml', { registry, defaults: [] });
    const [first, { plugins, ...second }] = phases as unknown as [object, { plugins: ResolvedConfig['plugins'] }];
    expect(first).toEqual({ name: 'erm', model: {}, train: expect.anything() });
    expect(second).toMatchObject({
      epochs: 5,
      model: { freeze: ['backbone', 'classifier'] },
      train: {
        batchSize: 512,
        optimizer: { name: 'sgd', learningRate: 0.2, momentum: 0.9, nesterov: false, weightDecay: 1e-4 },
      },
    });
    expect(plugins.map((plugin) => [plugin.definition.name, plugin.options])).toMatchObject([
      ['lr-schedule', { schedule: 'cosine', warmup: 0 }],
      ['resample', { weights: 'class-uniform' }],
      ['lws', {}],
    ]);
  });
});

function expected({ epochs, milestones, gamma }: Schedule, plugins: readonly string[], all: typeof options): unknown {
  const own = (name: string): object => ({
    ...all[name],
    ...(['drw', 'drs'].includes(name) && { after: milestones[1] }),
  });
  return {
    epochs,
    'lr-schedule': { milestones, gamma, warmup: 0 },
    optimizer: { name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 2e-4 },
    head: plugins.includes('ldam') ? 'cosine' : 'linear',
    plugins: plugins.map((name) => [name, own(name)]),
  };
}

/** The same of a config, with fractions of the run as epochs. */
function configured({ plugins, options: { train, model } }: ResolvedConfig): unknown {
  const { epochs, optimizer } = train;
  const [schedule, ...own] = plugins;
  expect(schedule!.definition.name).toBe('lr-schedule');
  const { milestones, gamma, warmup } = schedule!.options as { milestones: number[]; gamma: number; warmup: number };
  return {
    epochs,
    'lr-schedule': { milestones: milestones.map((milestone) => resolveEpoch(milestone, epochs)), gamma, warmup },
    optimizer,
    head: model.head,
    plugins: own.map(({ definition: { name }, options: { deferUntil, ...rest } }) => [
      name,
      {
        ...rest,
        ...(deferUntil !== undefined && { after: resolveEpoch(deferUntil as number, epochs) }),
        // The power of counts, which effective numbers do not use.
        ...(name === 'reweight' && { gamma: undefined }),
      },
    ]),
  };
}

it("every method of the paper's recipe and every data set is part of a table, but for data of published and of wider networks", async () => {
  const used = (await allCells()).flatMap(({ files }) => files.map((file) => relative('configs', file)));
  const made = ['methods/remix-paper-300', 'data', 'inat2018'].flatMap((folder) =>
    readdirSync(join('configs', folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => join(folder, file))
      .filter((file) => !/-(vit|resnet32-wide)/.test(file)),
  );
  expect([...new Set(used)].sort()).toEqual(made.sort());
});

it('a part of a table runs alone, with settings of its own', async () => {
  const sweep = await readSweep([tableFile(1)], registry);
  const given = { set: ['train.epochs=3'], only: ['remix-drw-cifar100-*-10 seed 0'], backend: 'native', out: null };
  const { runs } = await expandSweep({ ...sweep, options: { ...sweep.options, seeds: [0] } }, given, {
    registry,
    defaults,
  });
  expect(runs.map(({ label }) => label)).toEqual([
    'remix-drw-cifar100-exp-10 seed 0',
    'remix-drw-cifar100-step-10 seed 0',
  ]);
  expect(runs[0]!.set).toEqual(['seed=0', 'train.epochs=3']);
});

it('hashes of configs stay what they are: an option that is new, or has another default, changes them for everybody', async () => {
  const byMethod = new Map<string, string[]>();
  for (const { files } of await allCells()) {
    const { hash } = await loadConfig(files, { registry, defaults });
    const method = relative('configs', files[0]!).replaceAll('\\', '/');
    byMethod.set(method, [...(byMethod.get(method) ?? []), hash]);
  }
  const digest = (hashes: readonly string[]): string =>
    createHash('sha256').update(hashes.toSorted().join()).digest('hex').slice(0, 12);
  const lines = [...byMethod].map(([method, hashes]) => `${method} × ${hashes.length}: ${digest(hashes)}\n`);
  await expect(lines.sort().join('')).toMatchFileSnapshot('__snapshots__/hashes.txt');
});

it('configs/README.md shows which method is in which table; `npx vitest run test/config/paper-tables.test.ts -u` rewrites it', async () => {
  const path = join('configs', 'README.md');
  const [start, end] = ['<!-- tables -->\n', '<!-- /tables -->'];
  const numbers = [1, 2, 4, 5];
  const rows = [...new Set(numbers.flatMap((table) => tables[table]!.rows.split(' ')))].map((row) => {
    const ticks = numbers.map((table) => (tables[table]!.rows.split(' ').includes(row) ? '✓' : ''));
    return [`[${row}](methods/remix-paper-300/${row.toLowerCase()}.yaml)`, ...ticks];
  });
  const lines = [
    ['method', ...numbers.map((table) => `table ${table}`)],
    ['---', ...numbers.map(() => '---')],
    ...rows,
  ];
  const written = lines.map((line) => `| ${line.join(' | ')} |\n`).join('');
  const text = readFileSync(path, 'utf8');
  const whole = text.slice(0, text.indexOf(start) + start.length) + written + text.slice(text.indexOf(end));
  await expect(whole).toMatchFileSnapshot(join(process.cwd(), path));
});
