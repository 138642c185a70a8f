import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { ResolvedConfig } from '../../src/config/types.ts';
import { resolveEpoch } from '../../src/plugin.ts';

/** A column of the paper: the folder of its configs, and what all of them have. */
interface Column {
  folder: string;
  data: { name: string; profile: string; ratio?: number };
  model: string;
}

/** A table of Chou et al. 2020. */
interface Table {
  title: string;
  columns: readonly Column[];
  rows: readonly string[];
}

const columns = (name: string, model: string, ratios: readonly number[], suffix = ''): Column[] =>
  ['exp', 'step'].flatMap((profile) =>
    ratios.map((ratio) => ({ folder: `${name}/${profile}-${ratio}${suffix}`, data: { name, profile, ratio }, model })),
  );
const cifar = [...columns('cifar10', 'resnet32', [100, 10]), ...columns('cifar100', 'resnet32', [100, 10])];
const inat: Column = { folder: 'inat2018/none-500', data: { name: 'inat2018', profile: 'none' }, model: 'resnet50' };

const tables: readonly Table[] = [
  {
    title: 'Table 1: CIFAR, ResNet-32',
    columns: cifar,
    rows: [
      ...['ERM', 'Focal', 'RW-Focal', 'DRS', 'DRW', 'LDAM', 'LDAM-DRW', 'Mixup', 'Remix', 'BBN'],
      ...['Remix-LDAM-DRW', 'Remix-LDAM-DRS', 'Remix-RS', 'Remix-RW', 'Remix-DRS', 'Remix-DRW'],
    ],
  },
  {
    title: 'Table 2: CINIC-10, ResNet-18',
    columns: columns('cinic10', 'resnet18', [200, 100, 50, 10]),
    rows: ['ERM', 'RS', 'RW', 'DRW', 'DRS', 'Mixup', 'Remix', 'LDAM-DRW', 'Remix-DRS', 'Remix-DRW'],
  },
  {
    title: 'Table 3: iNaturalist 2018, ResNet-50, 90 epochs or 200',
    columns: [inat],
    rows: [
      ...['ERM', 'RW-Focal', 'Mixup', 'Remix', 'LDAM-DRW', 'BBN', 'LWS-200'],
      ...['LDAM-DRW-200', 'Remix-DRS-200', 'Remix-DRW-200'],
    ],
  },
  {
    title: 'Table 4: CIFAR-10, ResNet-18',
    columns: columns('cifar10', 'resnet18', [100], '-resnet18'),
    rows: ['Mixup-DRW', 'Remix-DRW', 'Mixup-DRS', 'Remix-DRS'],
  },
  {
    title: 'Table 5: other mixers on CIFAR, ResNet-32',
    columns: cifar,
    rows: ['ERM', 'Mixup', 'Remix', 'Manifold-Mixup', 'Remix-MM', 'CutMix', 'Remix-CM'],
  },
];

const fileOf = ({ folder }: Column, row: string): string => `${folder}/${row.toLowerCase()}.yaml`;
const cells = [
  ...new Map(
    tables.flatMap(({ columns, rows }) =>
      rows.flatMap((row) => columns.map((column) => [fileOf(column, row), { column, row }] as const)),
    ),
  ),
].map(([file, cell]) => ({ file, ...cell }));

it('every cell has its config, and every config its cell', () => {
  const files = ['cifar10', 'cifar100', 'cinic10', 'inat2018'].flatMap((set) =>
    readdirSync(join('configs', set), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => `${set}/${file.replaceAll('\\', '/')}`),
  );
  expect(files.sort()).toEqual(cells.map(({ file }) => file).sort());
});

it('the tables of configs/README.md lead to them; `npx vitest run test/config/paper-tables.test.ts -u` rewrites them', async () => {
  const path = join('configs', 'README.md');
  const [start, end] = ['<!-- tables -->\n', '<!-- /tables -->'];
  const text = readFileSync(path, 'utf8');
  const written = tables.map(markdown).join('\n');
  const expected = text.slice(0, text.indexOf(start) + start.length) + written + text.slice(text.indexOf(end));
  await expect(expected).toMatchFileSnapshot(join(process.cwd(), path));
});

function markdown({ title, columns, rows }: Table): string {
  const cellOf = (column: Column, row: string): string => `[${row.toLowerCase()}](${fileOf(column, row)})`;
  const lines = [
    ['', ...columns.map(({ folder }) => `\`${folder}\``)],
    ['---', ...columns.map(() => '---')],
    ...rows.map((row) => [row, ...columns.map((column) => cellOf(column, row))]),
  ];
  return `### ${title}\n\n${lines.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`;
}

/** Kang et al. 2020: five epochs of a scale per class, on a balanced draw. */
const lwsPhase = {
  epochs: 5,
  model: { freeze: ['backbone', 'classifier'] },
  train: expect.objectContaining({
    batchSize: 512,
    optimizer: { name: 'sgd', learningRate: 0.2, momentum: 0.9, nesterov: false, weightDecay: 1e-4 },
  }) as unknown,
  plugins: {
    'lr-schedule': expect.objectContaining({ schedule: 'cosine', warmup: 0 }) as unknown,
    resample: expect.objectContaining({ weights: 'class-uniform' }) as unknown,
    lws: {},
  },
};

/** What the name of a method promises, by the paper's conventions: schedule, switch of DRW, sampling weights, mixing stages, CutMix probability. */
function promised(row: string, { folder }: Column): unknown {
  const has = (part: string): boolean => row.split('-').includes(part);
  const ldam = has('LDAM');
  const inaturalist = folder.startsWith('inat2018');
  const long = row.endsWith('-200') || row === 'BBN';
  const [epochs, ...milestones] = inaturalist
    ? long
      ? [200, 75, 150]
      : [90, 30, 60]
    : ldam
      ? [300, 150, 225]
      : [300, 150, 250];
  const deferred = { after: milestones.at(-1), beta: 0.9999 };
  const remixed = has('Remix');
  const mixers: Record<string, [use: string, options: object]> = {
    MM: ['manifold-mixup', { stages: ['input', 'stage1', 'stage2'], alpha: 2, lambda: 'batch' }],
    CM: ['cutmix', { alpha: 1, probability: 1 }],
    Mixup: ['mixup', { alpha: inaturalist ? 0.4 : 1, lambda: 'batch' }],
  };
  const mixer =
    row === 'Manifold-Mixup'
      ? mixers.MM
      : row === 'CutMix' || has('CM')
        ? mixers.CM
        : has('MM')
          ? mixers.MM
          : has('Mixup') || remixed
            ? mixers.Mixup
            : undefined;
  return {
    epochs,
    milestones,
    gamma: ldam && !inaturalist ? 0.01 : 0.1,
    warmup: 0,
    optimizer: { name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 2e-4 },
    batchSize: inaturalist ? 256 : 128,
    head: ldam ? 'cosine' : 'linear',
    plugins: Object.fromEntries([
      ...(mixer ? [mixer] : []),
      ...(remixed ? [['remix', { kappa: 3, tau: 0.5 }]] : []),
      ...(ldam ? [['ldam', { maxMargin: inaturalist ? 0.3 : 0.5, scale: 30 }]] : []),
      ...(has('Focal') ? [['focal', { gamma: 1 }]] : []),
      ...(has('DRW') ? [['drw', deferred]] : []),
      ...(has('DRS') ? [['drs', { ...deferred, weights: 'effective-number' }]] : []),
      ...(has('RW') ? [['reweight', { weights: 'effective-number', beta: 0.9999 }]] : []),
      ...(has('RS') ? [['resample', { weights: 'effective-number', beta: 0.9999 }]] : []),
      ...(has('BBN') ? [['bbn', { weights: 'reverse', beta: 0.9999, schedule: 'parabolic' }]] : []),
    ]),
    phases: has('LWS') ? ['plain training', lwsPhase] : null,
  };
}

/** The same of a config. */
function configured({ plugins, phases, options: { train, model } }: ResolvedConfig): unknown {
  const { epochs, batchSize, optimizer } = train;
  const all = new Map(plugins.map(({ definition, options }) => [definition.name, options]));
  const { warmup, milestones, gamma } = all.get('lr-schedule') as {
    warmup: number;
    milestones: number[];
    gamma: number;
  };
  const own = [...all]
    .filter(([name]) => name !== 'lr-schedule')
    .map(([name, { deferUntil, ...options }]) => [
      name,
      {
        ...options,
        ...(deferUntil === undefined ? {} : { after: resolveEpoch(deferUntil as number, epochs) }),
        ...(name === 'reweight' ? { gamma: undefined } : {}),
      },
    ]);
  return {
    epochs,
    milestones: milestones.map((milestone) => resolveEpoch(milestone, epochs)),
    gamma,
    warmup,
    optimizer,
    batchSize,
    head: model.head,
    plugins: Object.fromEntries(own),
    phases:
      phases?.map(({ name: _, plugins: list, ...phase }, i) =>
        i === 0
          ? 'plain training'
          : { ...phase, plugins: Object.fromEntries(list!.map((one) => [one.definition.name, one.options])) },
      ) ?? null,
  };
}

it('each runs what its row and column say', async () => {
  for (const { file, column, row } of cells) {
    const config = await loadConfig(join('configs', file), { registry, defaults: [] });
    const { data, model, method } = config.options;
    expect({ method, data, model: model.name }, file).toMatchObject({
      method: row,
      data: column.data,
      model: column.model,
    });
    expect(configured(config), file).toEqual(promised(row, column));
  }
});
