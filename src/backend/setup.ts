import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { withLock } from '#lock';
import type { OnBytes } from '../download/download.ts';
import { makeBuild } from './build-folder.ts';
import { type Compiler, compileBinding, findCompiler, tryBinding } from './compile.ts';
import { installCuda, type Requirement } from './cuda.ts';
import { fromNotUsable, unsupported, wrongVersion } from './errors.ts';
import { readIndexSettings } from './index-settings.ts';
import { installPackages, npmPackages } from './npm-packages.ts';
import { cacheRoot, NATIVE_PACKAGES, type NativeName, nativeFolder, TENSORFLOW_VERSION } from './paths.ts';
import { currentPlatform, type Platform, whyUnsupported } from './platform.ts';
import { readStamp, type Stamp, writeStamp } from './stamp.ts';
import { type Target, targetOf } from './target.ts';
import { unpackMembers } from './wheel.ts';
import { findWheel, tensorflowLayout } from './wheel-layout.ts';
import { obtainWheel, type Wheel } from './wheel-source.ts';

/** Room that a set-up needs at most, in MB (10⁶ bytes): the wheels, what is unpacked from them, and the packages. */
const NEEDED_MB: Record<NativeName, number> = { native: 1200, 'native-gpu': 9500 };

/** What to install, and how to tell about it. */
export interface SetupOptions {
  name?: NativeName;
  /** A downloaded wheel, or a folder that holds it; npm packages beside it are used too. Default: fetched. */
  from?: string;
  /** Install again what is there (default false). */
  force?: boolean;
  /** The cache folder (default {@link cacheRoot}). */
  root?: string;
  /** Environment that `PATH`, `CXX` and the index settings are read from (default `process.env`). */
  env?: NodeJS.ProcessEnv;
  /** Default: this machine. */
  platform?: Platform;
  /** Builds the binding in a folder that holds the rest, and returns the version of TensorFlow that it reports. */
  build?: (compiler: Compiler, folder: string, packageName: string, target: Target) => Promise<string>;
  /** Called at the start of each stage, with a few words. */
  onStage?: (stage: string) => void;
  /** Called while the wheel is downloaded and unpacked. */
  onBytes?: OnBytes;
}

/** A native build that is ready. */
export interface SetupResult {
  folder: string;
  /** Whether anything was installed by this call. */
  changed: boolean;
  stamp: Stamp;
}

/**
 * Installs a native build into the cache: TensorFlow's C library from its wheel, CUDA from NVIDIA's for the GPU build,
 * tfjs-node from npm, and the binding between them, compiled here. Does nothing if it is there ({@link makeBuild}).
 *
 * @throws {TailmixError} with what is missing and its cure
 */
export async function setUpNative(options: SetupOptions = {}): Promise<SetupResult> {
  const { name = 'native', from, force = false, root = cacheRoot(), onStage = () => {} } = options;
  const machine = options.platform ?? { os: process.platform, arch: process.arch };
  const target = targetOf(machine.os, machine.arch);
  const folder = nativeFolder(name, root, machine);
  const ready = (): SetupResult | null => {
    const stamp = target && readStamp(folder, target);
    return stamp && { folder, changed: false, stamp };
  };
  const done = force ? null : ready();
  if (done !== null) return done;

  const why = whyUnsupported(options.platform ?? currentPlatform(), name);
  if (why !== null) throw unsupported(why);
  const made: Making = { name, target: target!, folder, project: target!.wheels[name]! };
  const given = from === undefined ? null : await givenWheel(resolve(from), made);
  const compiler = await findCompiler(options.env);
  return makeBuild({
    folder,
    root,
    neededMb: NEEDED_MB[name],
    ready: () => (force ? null : ready()),
    make: (work) => install(made, work, given, compiler, root, options),
    onStage,
  });
}

/** What is being made, and where. */
interface Making {
  name: NativeName;
  target: Target;
  folder: string;
  /** Python project whose wheel is used. */
  project: string;
}

async function install(
  { name, target, folder, project }: Making,
  work: string,
  given: Wheel | null,
  compiler: Compiler,
  root: string,
  { env = process.env, build = compileAndTry, onStage = () => {}, onBytes = () => {} }: SetupOptions,
): Promise<SetupResult> {
  onStage('fetching tfjs-node');
  await installPackages(npmPackages(name), work, given && dirname(given.path), env);
  onStage(given ? `using ${given.path}` : `fetching TensorFlow ${TENSORFLOW_VERSION}`);
  // Wheels beside a given one are taken before those of an index.
  const obtain = wheelsFor({ target, root, given: given && dirname(given.path), env, onBytes });
  const wheel = given ?? (await obtain({ project, specifier: TENSORFLOW_VERSION }));
  onStage('unpacking TensorFlow');
  await unpackMembers(wheel.path, work, tensorflowLayout(target), onBytes);
  const cuda =
    name === 'native-gpu' ? await installCuda({ wheel: wheel.path, extra: 'and-cuda' }, work, obtain, onStage) : [];
  onStage('compiling the binding');
  const tensorflow = await build(compiler, work, NATIVE_PACKAGES[name], target);
  if (tensorflow !== TENSORFLOW_VERSION) throw wrongVersion(TENSORFLOW_VERSION, tensorflow);
  for (const spare of ['include', 'tarballs', join('node_modules', 'node-api-headers')]) {
    await rm(join(work, spare), { recursive: true, force: true });
  }
  const made = { tensorflow, compiler: compiler.join(' '), wheel: basename(wheel.path) };
  const stamp = writeStamp(work, { ...made, cuda: cuda.map(({ path }) => basename(path)) }, target);
  await removeDownloads(root, [wheel, ...cuda]);
  return { folder, changed: true, stamp };
}

/**
 * Finds or fetches the wheels of a set-up, which downloads them into its cache.
 *
 * @param given - a folder in which they are looked for before the places that index settings name; null: none
 */
export function wheelsFor({
  target,
  root,
  given,
  env,
  onBytes,
}: Required<Pick<SetupOptions, 'root' | 'env' | 'onBytes'>> & { target: Target; given: string | null }) {
  const settings = readIndexSettings(env);
  const findLinks = [...(given === null ? [] : [given]), ...settings.findLinks];
  const request = { target, folder: downloadsIn(root), settings: { ...settings, findLinks }, env, onBytes };
  return ({ project, specifier }: Requirement): Promise<Wheel> =>
    obtainWheel({ ...request, project, version: specifier });
}

const downloadsIn = (root: string): string => join(root, 'downloads');

/** Wheels that were downloaded are deleted once they are unpacked. */
export async function removeDownloads(root: string, wheels: readonly Wheel[]): Promise<void> {
  if (wheels.some(({ downloaded }) => downloaded)) await rm(downloadsIn(root), { recursive: true, force: true });
}

/**
 * Gives TensorFlow's wheel to `work`: the one that `from` names, or fetched, and then deleted. Two at once wait for each other.
 *
 * @throws {TailmixError} FROM, WHEEL_NOT_FOUND
 */
export async function withWheel(
  name: NativeName,
  root: string,
  { from, platform, env = process.env, onStage = () => {}, onBytes = () => {} }: SetupOptions,
  work: (wheel: Wheel) => Promise<void>,
): Promise<void> {
  const target = targetOf(platform?.os ?? process.platform, platform?.arch ?? process.arch)!;
  const project = target.wheels[name]!;
  const run = async (): Promise<void> => {
    onStage(from === undefined ? `fetching TensorFlow ${TENSORFLOW_VERSION}` : `using ${from}`);
    const given = from === undefined ? null : await givenWheel(resolve(from), { project, target });
    const obtain = (): Promise<Wheel> =>
      wheelsFor({ target, root, given: null, env, onBytes })({ project, specifier: TENSORFLOW_VERSION });
    const wheel = given ?? (await obtain());
    await work(wheel);
    await removeDownloads(root, [wheel]);
  };
  await withLock(join(root, 'setup.lock'), run, { onWait: () => onStage('waiting for another set-up') });
}

async function compileAndTry(compiler: Compiler, folder: string, packageName: string, target: Target): Promise<string> {
  await compileBinding(compiler, folder, packageName, target);
  return tryBinding(folder);
}

async function givenWheel(path: string, { project, target }: Pick<Making, 'project' | 'target'>): Promise<Wheel> {
  const found = await stat(path).catch(() => null);
  const files = found?.isDirectory() ? await readdir(path) : [basename(path)];
  const file = findWheel(files, String, { project, version: TENSORFLOW_VERSION, target });
  if (found === null || file === undefined) throw fromNotUsable(path, project, TENSORFLOW_VERSION, target.label);
  return { path: found.isDirectory() ? join(path, file) : path, downloaded: false };
}
