import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { references } from '../../src/report/references.ts';
import { madeUpRun } from './in-memory-runs.ts';

const referencesOf = (...all: { use: string }[][]): Promise<string> =>
  references(
    compareRuns({
      runs: all.map((plugins, i) => madeUpRun(`method ${i}`, 1, [9, 5, 1], { plugins })),
      leftOut: [],
    }).methods,
  );
const paper = (plugin: string): Promise<string> => readFile(`plugins/${plugin}/paper.bib`, 'utf8');
const keys = (text: string): string[] => [...text.matchAll(/^@\w+\{(\w+),/gm)].map(([, key]) => key!);

test('each paper once, as its plugin has it, under the plugins that it is of', async () => {
  const text = await referencesOf([{ use: 'ldam' }, { use: 'drs' }], [{ use: 'mixup' }, { use: 'remix' }]);
  expect(keys(text)).toEqual(['cao2019ldam', 'zhang2021bag', 'zhang2018mixup', 'chou2020remix']);
  expect(text).toContain(`% ldam, drs\n${await paper('ldam')}`);
  expect(text).toContain(`% remix\n${await paper('remix')}`);
});

test('of what is held by another plugin, not of what is switched off, nothing of plain training', async () => {
  const off = { use: 'remix', enabled: false };
  const held = { use: 'choose', of: [{ use: 'cutmix', weight: 1 }] };
  expect(keys(await referencesOf([held, off]))).toEqual(['yun2019cutmix']);
  const plain = await referencesOf([{ use: 'cross-entropy' }]);
  expect(plain).toMatch(/^% Papers of the plugins that ran: 0\..*\n$/);
});

test('a plugin that is none of ours is named, and cannot begin an entry', async () => {
  const text = await referencesOf([{ use: '../remix' }, { use: '@lab/x\n@misc{a,}' }, { use: 'no-such' }]);
  expect(keys(text)).toEqual([]);
  expect(text).not.toContain('@');
  expect(text).toContain('% Not known here: the paper of ../remix\n');
  expect(text).toContain('% Not known here: the paper of no-such\n');
});
