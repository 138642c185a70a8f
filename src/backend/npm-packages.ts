import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { makeFolder } from '#make-folder';
import { npmCommand } from '#npm';
import { npmFailed, tarFailed } from './errors.ts';
import { NATIVE_PACKAGES, type NativeName, TFJS_NODE_VERSION } from './paths.ts';
import { lastLines, runCommand } from './run-command.ts';

/** An npm package that a native build is made of. */
export interface NpmPackage {
  name: string;
  version: string;
}

/**
 * What a native build takes from npm: tfjs-node's kernels and C++ sources, the one library its protobuf messages need,
 * and Node-API's headers. tfjs-node's other dependencies serve its installer and parts that are not loaded.
 */
export function npmPackages(name: NativeName): NpmPackage[] {
  return [
    { name: NATIVE_PACKAGES[name], version: TFJS_NODE_VERSION },
    { name: 'google-protobuf', version: '3.21.4' },
    { name: 'node-api-headers', version: '1.9.0' },
  ];
}

/** File name that `npm pack` gives a package. */
export const tarballName = ({ name, version }: NpmPackage): string =>
  `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;

/**
 * Installs packages under `folder/node_modules` without their dependencies and without running their scripts.
 * npm fetches them (the user's registry, proxy and credentials apply) and checks them against the registry's hash.
 *
 * @param offline - a folder that may hold the tarballs as `npm pack` names them
 * @throws {TailmixError} NPM_FAILED or TAR_FAILED
 */
export async function installPackages(
  packages: NpmPackage[],
  folder: string,
  offline: string | null,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const given = (item: NpmPackage): string | null =>
    offline !== null && existsSync(join(offline, tarballName(item))) ? join(offline, tarballName(item)) : null;
  const missing = packages.filter((item) => given(item) === null);
  const downloads = join(folder, 'tarballs');
  await makeFolder(downloads);
  if (missing.length > 0) {
    const options = ['--ignore-scripts', '--prefer-offline', '--fetch-retries=1', '--fetch-retry-mintimeout=1000'];
    const specs = missing.map(({ name, version }) => `${name}@${version}`);
    const { code, stderr } = await runCommand(
      [...npmCommand(env), 'pack', '--loglevel=error', ...options, `--pack-destination=${downloads}`, ...specs],
      { env },
    );
    if (code !== 0) throw npmFailed(code === null ? 'npm was not found' : reasonOf(stderr));
  }
  for (const item of packages) {
    const target = join(folder, 'node_modules', item.name);
    await makeFolder(target);
    const tarball = given(item) ?? join(downloads, tarballName(item));
    const { code, stderr } = await runCommand(['tar', '-xzf', tarball, '-C', target, '--strip-components=1']);
    if (code !== 0) throw tarFailed(tarball, lastLines(stderr));
    // google-protobuf's files are readable by their owner alone, and others may use this cache.
    await runCommand(['chmod', '-R', 'a+rX', target]);
  }
}

/** The first line of npm's errors that says something to a reader. */
function reasonOf(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.replace(/^npm (?:error|ERR!) (?:network |\d+ )?/, '').trim());
  return lines.find((line) => line !== '' && !/^(?:code|errno|syscall|npm) /.test(line)) ?? 'it gave no reason';
}
