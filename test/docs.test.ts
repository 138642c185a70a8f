import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Files below a folder (or the file itself) whose name ends in one of the endings. */
const filesBelow = (path: string, ...endings: string[]): string[] =>
  statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' })
        .map((name) => join(path, name))
        .filter((name) => endings.some((ending) => name.endsWith(ending)))
    : [path];

const rooms = ['src', 'plugins', 'docs', 'configs', 'test', 'examples', 'bench', 'native'];
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...rooms.flatMap((room) => filesBelow(room, '.md'))];
const texts = [
  'README.md',
  'CONTRIBUTING.md',
  ...rooms.flatMap((room) => filesBelow(room, '.md', '.ts', '.mjs', '.py', '.json', '.yaml', '.cc', '.h')),
];

/** The words of a Markdown file, without its code blocks. */
const proseOf = (page: string): string => readFileSync(page, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');

/** Anchors of a page, as GitHub makes them of its headings. */
const anchorsOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Links of a page to other files of the repository, with their anchors. */
const linksOf = (page: string): { path: string; anchor: string | undefined }[] =>
  [...proseOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, target, anchor]) => ({
    path: target === '' ? page : join(dirname(page), target!),
    anchor,
  }));

test('every Markdown file that any text names is in the repository', () => {
  const known = new Set(pages.map((page) => basename(page)));
  const missing = texts.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\b([\w-]+\.md)\b/g)]
      .filter(([, name]) => !known.has(name!))
      .map(([, name]) => `${file}: ${name}`),
  );
  expect(missing).toEqual([]);
});

describe.each(pages)('%s', (page) => {
  test('its links lead to files and headings that exist', () => {
    for (const { path, anchor } of linksOf(page)) {
      expect(existsSync(path), path).toBe(true);
      if (anchor !== undefined && path.endsWith('.md')) expect(anchorsOf(path), path).toContain(anchor);
    }
  });
});

test('every page of docs/ is on its map, and the README leads to the map', () => {
  expect(linksOf('README.md').map(({ path }) => path)).toContain('docs/README.md');
  const linked = linksOf('docs/README.md').map(({ path }) => path);
  // These two are for contributors, and not in the package.
  const inRepository = ['docs/mutation.md', 'docs/reliability.md'];
  for (const page of inRepository) expect(readFileSync('CONTRIBUTING.md', 'utf8')).toContain(`\`${page}\``);
  for (const page of filesBelow('docs', '.md'))
    if (page !== 'docs/README.md' && !inRepository.includes(page)) expect(linked).toContain(page);
});

describe('CONTRIBUTING.md', () => {
  const text = readFileSync('CONTRIBUTING.md', 'utf8');

  test('its table of rooms has every folder of src/, once', () => {
    const rooms = [...text.matchAll(/^\| `src\/([\w-]+)\/` \|/gm)].map(([, room]) => room!);
    const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(rooms.sort()).toEqual(folders.map(({ name }) => name).sort());
  });

  test('the files and folders that it names exist', () => {
    const paths = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]*)`/g)].map(([, path]) => path!);
    const missing = paths.filter((path) => !path.startsWith('tailmix/') && !existsSync(path));
    expect(paths.length).toBeGreaterThan(40);
    expect(missing).toEqual([]);
  });
});
