import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test, vi } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { references } from '../../src/report/references.ts';
import { keepSources } from '../../src/tracking/sources.ts';
import { temporaryFolder } from '../support/temporary.ts';
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

test('BibTeX beside a plugin of the user is kept with its runs, and read as text', async () => {
  const folder = await temporaryFolder();
  const files = {
    'mine.ts': 'throw new Error("executed")',
    'mine.bib': '% a note\n@misc{mine2026,\n  title = {{Mine}}\n}\n',
    'other/index.ts': '',
    'other/paper.bib': '@misc{other2026,\n  title = {{Other}}\n}\n',
    'none.ts': '',
  };
  await mkdir(join(folder, 'other'));
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  const run = join(folder, 'run');
  const modules = ['mine.ts', 'other/index.ts', 'none.ts'].map((file) => ({
    place: `./${file}`,
    source: file,
    files: [join(folder, file)],
  }));
  await keepSources(run, modules, []);
  const made = madeUpRun('Mine', 1, [9, 5, 1], { plugins: modules.map(({ place }) => ({ use: place })) });
  const of = () => references(compareRuns({ runs: [{ ...made, path: run }], leftOut: [] }).methods);
  const text = await of();
  expect(keys(text)).toEqual(['mine2026', 'other2026']);
  expect(text).toContain('% ./mine.ts\n@misc{mine2026,');
  expect(text).toContain('% Not known here: the paper of ./none.ts\n');
  expect(text).not.toContain('paper of ./mine.ts');

  await writeFile(join(run, 'sources/files/mine.bib'), '@misc{changed,}');
  expect(keys(await of())).toEqual([]);
});

test('BibTeX of a plugin that is a package is that of the installed one, from a folder above too', async () => {
  const folder = await temporaryFolder();
  for (const name of ['@lab/margins', 'tailmix-cut']) {
    await mkdir(join(folder, 'node_modules', name), { recursive: true });
    const key = name.replace(/\W/g, '');
    await writeFile(join(folder, 'node_modules', name, 'paper.bib'), `@misc{${key},\n  title = {{It}}\n}\n`);
  }
  await mkdir(join(folder, 'deep'));
  vi.spyOn(process, 'cwd').mockReturnValue(join(folder, 'deep'));
  const text = await referencesOf([{ use: '@lab/margins/large' }, { use: 'tailmix-cut' }, { use: 'tailmix-other' }]);
  vi.restoreAllMocks();
  expect(keys(text)).toEqual(['labmargins', 'tailmixcut']);
  expect(text).toContain('% Not known here: the paper of tailmix-other\n');
});
