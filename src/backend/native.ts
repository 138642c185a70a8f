import { realpathSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import process from 'node:process';
import util from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { internal } from '../errors.ts';
import { tf } from '../tf.ts';
import type { TensorFlowBinding } from './binding.ts';
import { loadCustomOps } from './custom-ops.ts';
import { wantedThreads } from './environment.ts';
import { bindingPath, NATIVE_PACKAGES, type NativeName, nativeFolder, quietLoaderPath } from './paths.ts';
import { currentPlatform, whyUnsupported } from './platform.ts';
import { readStamp } from './stamp.ts';

/** A loaded native build: TensorFlow's C library behind tfjs-node's binding and kernels. */
export interface NativeBuild {
  folder: string;
  binding: TensorFlowBinding;
  /** Threads of one kernel (TensorFlow's intra-op pool). */
  threads: number;
  /** Why tailmix's custom ops are not loaded, or `null` if they are. */
  withoutCustomOps: string | null;
}

type Load = (request: string, parent: { filename?: string | null } | undefined, ...rest: unknown[]) => unknown;

const ownRequire = createRequire(import.meta.url);

/**
 * Why a native build cannot be loaded, as one sentence with its cure, or `null` if it is set up.
 * Looks at files only: cheap, and says nothing of whether the library will load.
 */
export function whyNotNative(name: NativeName, folder: string = nativeFolder(name)): string | null {
  if (!isMainThread) return 'TensorFlow loads in the main thread only.';
  const unsupported = whyUnsupported(currentPlatform(), name);
  if (unsupported !== null) return unsupported;
  if (readStamp(folder) === null) {
    return `it is not set up; run \`tailmix setup${name === 'native-gpu' ? ' --gpu' : ''}\`.`;
  }
  return null;
}

/**
 * Makes `require('@tensorflow/tfjs')` from files under `folder` give the copy that tailmix imports, so that one tensor engine
 * serves both. Everything else loads as before.
 */
function shareTensorflowJs(folder: string): void {
  const loader = Module as unknown as { _load: Load };
  const original = loader._load;
  const inside = realpathSync(folder) + sep;
  const shared = { ...tf, KernelBackend: callable(tf.KernelBackend) };
  loader._load = function loadShared(request, parent, ...rest) {
    if (/^@tensorflow\/tfjs(-core)?$/.test(request) && parent?.filename?.startsWith(inside)) return shared;
    return original.call(this, request, parent, ...rest);
  };
}

/** A class without state that ES5 code can extend, as tfjs-node does: there a class is called as a function. */
function callable({ prototype }: { prototype: object }): () => void {
  const construct = function construct() {} as () => void;
  construct.prototype = prototype;
  return construct;
}

/** tfjs-node calls two functions of `node:util` of which Node 22 warns (DEP0051, DEP0044), and which Node 23 removed. */
function restoreRemovedUtil(): void {
  const target = util as unknown as Record<string, unknown>;
  target.isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined;
  target.isArray = Array.isArray;
}

/**
 * Settings that TensorFlow reads once, when its library is loaded. Left alone, TensorFlow uses oneDNN only on CPUs with
 * AVX-512 VNNI, AVX-VNNI or AMX; on AVX2 its convolutions are faster with it too. On a GPU, TensorFlow takes nearly all of its memory at once.
 */
function prepareEnvironment(name: NativeName, threads: number): void {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
  process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  if (name === 'native-gpu') process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
}

let loaded: (NativeBuild & { require: NodeJS.Require }) | null = null;

/**
 * Requires a file of the installed tfjs-node by its path in the package, for example `dist/proto/api_pb`.
 *
 * @throws {TailmixError} INTERNAL if no native build was loaded
 */
export function requireFromTfjsNode<T = unknown>(path: string): T {
  if (loaded === null) throw internal(`requireFromTfjsNode('${path}') before a native backend was loaded`);
  return loaded.require(`./${path}`) as T;
}

/** Why the native build in use does without tailmix's custom ops, as a sentence; `null` if it has them. */
export const whyWithoutCustomOps = (): string | null =>
  loaded === null ? 'no native backend is loaded.' : loaded.withoutCustomOps;

/** Whether the native build in use has tailmix's custom ops. */
export const hasCustomOps = (): boolean => whyWithoutCustomOps() === null;

/**
 * Loads the build in `folder` and registers tfjs-node's kernels and its backend `tensorflow`. A process holds one
 * native build: both builds' libraries have the same names.
 *
 * @throws {TailmixError} INTERNAL if another build is loaded, and what the dynamic linker throws
 */
export function loadNative(name: NativeName, folder: string = nativeFolder(name)): NativeBuild {
  if (loaded?.folder === folder) return loaded;
  if (loaded !== null) throw internal(`${loaded.folder} is loaded, so that ${folder} cannot be`);
  const threads = wantedThreads();
  prepareEnvironment(name, threads);
  restoreRemovedUtil();
  if (process.env.TF_CPP_MIN_LOG_LEVEL !== '0') ownRequire(quietLoaderPath(folder));
  const binding = ownRequire(bindingPath(folder)) as TensorFlowBinding;
  const packageName = NATIVE_PACKAGES[name];
  shareTensorflowJs(folder);
  const require = createRequire(join(folder, 'node_modules', packageName, 'package.json'));
  const withoutCustomOps = name === 'native' ? loadCustomOps(folder) : 'they run on CPUs only.';
  loaded = { folder, binding, threads, withoutCustomOps, require };
  require('./dist/register_all_kernels');
  const { NodeJSKernelBackend } = require('./dist/nodejs_kernel_backend') as {
    NodeJSKernelBackend: new (binding: TensorFlowBinding, packageName: string) => tf.KernelBackend;
  };
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, packageName), 3);
  return loaded;
}
