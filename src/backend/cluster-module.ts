import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { messageOf } from '../errors.ts';
import { compileModule, findCompiler, librariesAround, tryModule } from './compile.ts';
import { clusterModuleMissing } from './errors.ts';
import { nativeFolder } from './paths.ts';
import { ownTarget, targetOf } from './target.ts';

/** A value to feed, by `node:output`. */
interface ClusterFeed {
  name: string;
  shape: readonly number[];
  values: Float32Array | Int32Array | Uint8Array;
}

/**
 * What `native/cluster.cc` exports: a TensorFlow server in this process, and sessions on it. Bytes are Protocol Buffers.
 * Errors have TensorFlow's code as text in `code`.
 */
export interface ClusterModule {
  /** Starts the server that a `ServerDef` describes; it lives as long as the process. Returns a session's target. */
  startServer(definition: Uint8Array): string;
  /** Loads a SavedModel into a session, with a `ConfigProto`. */
  openSession(folder: string, tag: string, target: string, config: Uint8Array): number;
  /** Runs with `RunOptions`; blocks until it is done. */
  run(
    session: number,
    options: Uint8Array,
    feeds: readonly ClusterFeed[],
    fetches: readonly string[],
  ): { values: Float32Array | Int32Array | Uint8Array; shape: number[] }[];
  closeSession(session: number): void;
}

const SOURCES = join(dirname(createRequire(import.meta.url).resolve('tailmix/package.json')), 'native');
const SOURCE = join(SOURCES, 'cluster.cc');

/** The compiled module inside a native build; the name holds a digest of the sources, so that an upgrade compiles anew. */
const modulePath = (folder: string): string => {
  const hash = createHash('sha256');
  for (const file of [SOURCE, join(SOURCES, 'cluster_interfaces.h')]) hash.update(readFileSync(file));
  return join(folder, 'lib', `tailmix_cluster-${hash.digest('hex').slice(0, 12)}.node`);
};

/**
 * Compiles the module into a native build, unless it is there. Runs on one machine do without it.
 *
 * @returns why there is none, or `null`
 */
export async function setUpClusterModule(
  folder: string,
  onStage: (stage: string) => void = () => {},
  { os = process.platform, arch = process.arch }: { os?: string; arch?: string } = {},
): Promise<string | null> {
  const path = modulePath(folder);
  if (existsSync(path)) return null;
  onStage('compiling what training on several machines needs');
  const work = await mkdtemp(join(folder, 'lib', 'cluster-'));
  try {
    const compiler = await findCompiler();
    const target = targetOf(os, arch) ?? ownTarget();
    const { main, framework } = target.libraries;
    const libraries = [main, framework].map((library) => join(folder, 'lib', library));
    const module = join(work, 'cluster.node');
    await compileModule(
      'cluster.cc',
      compiler,
      ['-O2', '-fvisibility=hidden', SOURCE, librariesAround(target)],
      module,
      libraries,
      target,
    );
    if (arch === process.arch) await tryModule(folder, module);
    await rename(module, path);
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Whether the module is compiled. */
export const hasClusterModule = (folder: string = nativeFolder('native')): boolean => existsSync(modulePath(folder));

/**
 * Loads the module into a native build that is loaded.
 *
 * @throws {TailmixError} CLUSTER_MODULE
 */
export function loadClusterModule(folder: string = nativeFolder('native')): ClusterModule {
  const path = modulePath(folder);
  if (!existsSync(path)) throw clusterModuleMissing('it is not compiled; run `tailmix setup`.');
  try {
    return createRequire(import.meta.url)(path) as ClusterModule;
  } catch (error) {
    throw clusterModuleMissing(messageOf(error));
  }
}
