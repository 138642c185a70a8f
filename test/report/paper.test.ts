import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { context, observers } from '../../src/cli/context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { paperSection } from '../../src/report/page/paper.ts';
import { paperFigures } from '../../src/report/paper.ts';
import { paperMarkdown } from '../../src/report/table.ts';
import { madeUpRun } from './in-memory-runs.ts';

const configOf = async (...files: string[]) =>
  (
    await loadConfig(
      files.map((file) => `configs/${file}.yaml`),
      { ...context, set: ['train.precision=bf16'] },
    )
  ).resolved;

async function figuresOf(
  method: string,
  files: string[],
  change: (config: Record<string, unknown>) => void = () => {},
) {
  const config = await configOf(...files);
  change(config);
  const made = [1, 2].map((seed) => {
    const run = madeUpRun(method, seed, [9, 5, 1], { config });
    return { ...run, config, configText: stringify(config) };
  });
  return paperFigures(compareRuns({ runs: made, leftOut: [] }, { observers }), context, observers);
}

test('a method with the paper’s recipe: its cell, and what differs', async () => {
  const paper = await figuresOf(
    'Remix-DRW',
    ['methods/remix-paper-300/remix-drw', 'data/cifar10-exp-100'],
    (config) => {
      (config.train as Record<string, unknown>).epochs = 200;
    },
  );
  expect(paper!.figures).toEqual([
    {
      method: 'Remix-DRW',
      ours: { mean: 0.5, sd: 0, n: 2 },
      paper: expect.closeTo(0.7976, 12),
      table: 1,
      differs: ['train.epochs 200, not 300', 'train.precision bf16, not fp32'],
    },
  ]);
  const page = paperSection(paper!, 10_000).text;
  expect(page).toContain('<td>1</td><td>79.76</td><td>50.00 ± 0.00</td><td>2</td><td>−29.76</td>');
  expect(page).toContain('of which epoch it does not say');
  expect(paperMarkdown(paper!, 10_000)).toContain(
    '| Remix-DRW | 1 | 79.76 | 50.00 ± 0.00 | 2 | −29.76 | train.epochs 200, not 300;',
  );
});

test('another recipe of the same cell says where it differs', async () => {
  const paper = await figuresOf('Remix', ['methods/ldam-200/remix', 'data/cifar10-exp-100']);
  expect(paper!.figures[0]).toMatchObject({ paper: 0.7536, table: 1 });
  expect(paper!.figures[0]!.differs).toContain('train.epochs 200, not 300');
  expect(paper!.figures[0]!.differs.join()).toMatch(/lr-schedule\.gamma 0\.01, not 0\.1/);
});

test('the network chooses the table; without a cell there is none', async () => {
  const small = await figuresOf('Remix-DRS', ['methods/remix-paper-300/remix-drs', 'data/cifar10-step-100-resnet18']);
  expect(small!.figures[0]).toMatchObject({ paper: 0.7935, table: 4 });
  expect(await figuresOf('BBN', ['methods/remix-paper-300/bbn', 'data/cifar10-step-100'])).toBeNull();
  expect(await figuresOf('Mine', ['methods/remix-paper-300/remix', 'data/cifar10-exp-100'])).toBeNull();
  expect(await figuresOf('ERM', ['digits/erm'])).toBeNull();
});

test('every row and column of the tables has its config', async () => {
  const { tables } = JSON.parse(readFileSync('configs/paper/remix-2020.json', 'utf8')) as {
    tables: { network: string; columns: string[]; rows: Record<string, number[]> }[];
  };
  for (const { network, columns, rows } of tables) {
    for (const column of columns) expect(readFileSync(`configs/data/${column}.yaml`, 'utf8')).toBeTruthy();
    for (const [method, values] of Object.entries(rows)) {
      expect(values).toHaveLength(columns.length);
      const { options, resolved } = await loadConfig(
        [`configs/methods/remix-paper-300/${method.toLowerCase()}.yaml`, `configs/data/${columns[0]}.yaml`],
        context,
      );
      expect(options.method).toBe(method);
      expect(resolved.model).toMatchObject({ name: network });
    }
  }
});
