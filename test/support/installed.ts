import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { cacheRoot } from '../../src/backend/paths.ts';

/** Packs this checkout, built as it is now, into a folder; returns the tarball's path. */
export function packTarball(folder: string): string {
  // The launcher builds what has changed.
  execFileSync(process.execPath, ['bin/tailmix.mjs', '--version'], { stdio: 'pipe' });
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  return join(folder, execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim());
}

/** A package that is installed once into the cache; returns the path of a file in it. */
export function cachedPackage(name: string, version: string, file: string): string {
  const place = join(cacheRoot(), 'test', `${name.replaceAll('/', '-')}-${version}`);
  if (!existsSync(place)) {
    const part = `${place}.${process.pid}`;
    mkdirSync(part, { recursive: true });
    const args = ['install', '--prefix', part, '--no-audit', '--no-fund', '--silent', `${name}@${version}`];
    execFileSync('npm', args, { stdio: 'pipe' });
    if (existsSync(place)) rmSync(part, { recursive: true });
    else renameSync(part, place);
  }
  return join(place, 'node_modules', name, file);
}

/** Makes an empty project that has tailmix out of its tarball, as npm installs it. */
export function installTarball(project: string, tarball: string): void {
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', resolve(tarball)];
  execFileSync('npm', args, { cwd: project, stdio: 'pipe' });
}

/** Runs a command line in a project as its user would, with the programs of its packages on the path. */
export function shell(project: string, line: string, env: NodeJS.ProcessEnv = {}) {
  const path = [join(project, 'node_modules/.bin'), process.env.PATH].join(':');
  const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', line], {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', npm_config_offline: 'true', ...env, PATH: path },
  });
  return { code: status, stdout, stderr };
}
