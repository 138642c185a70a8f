import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

interface Locked {
  license?: string;
  dev?: boolean;
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };

/** Of packages whose package.json names none: how their LICENSE begins that says so. */
const unnamed: Record<string, { licence: string; grants: string }> = {
  jstat: { licence: 'MIT', grants: 'Permission is hereby granted, free of charge, to any person obtaining a copy' },
};

/** The licence that a package names, or that its own text is. */
function licenceOf(name: string, named: string | undefined): string {
  if (named) return named;
  const { licence, grants } = unnamed[name] ?? { licence: 'unknown', grants: '' };
  return grants && readFileSync(join('node_modules', name, 'LICENSE'), 'utf8').includes(grants) ? licence : 'unknown';
}

/** Packages that are installed with tailmix, by licence. */
function installed(): Map<string, string[]> {
  const byLicence = new Map<string, Set<string>>();
  for (const [path, { license, dev }] of Object.entries(packages)) {
    if (path === '' || dev) continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const licence = licenceOf(name, license);
    byLicence.set(licence, (byLicence.get(licence) ?? new Set()).add(name));
  }
  return new Map([...byLicence].sort().map(([licence, names]) => [licence, [...names].sort()]));
}

test('NOTICE lists the licence of every package that is installed with tailmix', async () => {
  const lists = [...installed()].map(
    ([licence, names]) => `${licence}\n${names.map((name) => `  ${name}`).join('\n')}`,
  );
  const notice = `tailmix
Licensed under the Apache License, Version 2.0; see LICENSE.

\`tailmix setup\` downloads TensorFlow (Apache-2.0) from the Python package index and @tensorflow/tfjs-node (Apache-2.0)
from the npm registry. dist/tfjs is a bundle of TensorFlow.js (Apache-2.0, in parts MIT) with long (Apache-2.0) and
seedrandom (MIT); their licences are in dist/tfjs/LICENSES.txt. assets/digits.gz holds images of MNIST (Yann LeCun and
Corinna Cortes, CC BY-SA 3.0); see assets/LICENSES.txt. The configurations ship no data of other sets.

npm installs these packages with tailmix; each contains its own licence text.

${lists.join('\n\n')}
`;
  await expect(notice).toMatchFileSnapshot('../../NOTICE');
});

test('every installed package has a licence that allows its use here', () => {
  const allowed = /^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|Python-2\.0|Unlicense|LGPL-3\.0-or-later)$/;
  const refused = [...installed()].filter(([licence]) => !licence.split(' AND ').every((part) => allowed.test(part)));
  expect(refused).toEqual([]);
});

/** What `npm pack` would put into the tarball. */
const packed = (
  JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8', stdio: 'pipe' }),
  ) as { files: { path: string }[] }[]
)[0]!.files
  .map(({ path }) => path)
  .sort();

test('the package contains these files, sources, and of dist/ compiled sources alone', () => {
  const isCompiled = (path: string): boolean => /^dist\/(src|plugins)\/.*\.(js|d\.ts)$/.test(path);
  const isSource = (path: string): boolean => /^(src|plugins)\/.*\.ts$/.test(path);
  const isBundled = (path: string): boolean => path.startsWith('dist/tfjs/');
  const rest = packed.filter(
    (path) => !isCompiled(path) && !isSource(path) && !isBundled(path) && path !== 'dist/.source-state',
  );
  expect(rest).toMatchSnapshot();
});

test('links of Markdown files lead to files that are in the package', () => {
  const folders = new Set(packed.flatMap((path) => path.split('/').map((_, i, parts) => parts.slice(0, i).join('/'))));
  const pages = packed.filter((path) => path.endsWith('.md'));
  expect(pages).toEqual(
    expect.arrayContaining(['README.md', 'docs/README.md', 'docs/hooks.md', 'plugins/remix/README.md']),
  );
  const dead = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/\]\((?![a-z]+:)([^)#\s]+)/g)]
      .map(([, target]) => join(dirname(page), target!).replace(/\/$/, ''))
      .filter((target) => !packed.includes(target) && !folders.has(target))
      .map((target) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});
