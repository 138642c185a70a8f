import process from 'node:process';
import { messageOf, TailmixError } from '../errors.ts';
import { tf } from '../tf.ts';
import type { TensorFlowBinding } from './binding.ts';
import { backendChoices, checkEnvironment } from './environment.ts';
import { backendBusy, backendUnavailable, unknownBackend } from './errors.ts';
import { markInUse } from './in-use.ts';
import { supplyKernels } from './kernels/index.ts';
import { loadNative, whyNotNative } from './native.ts';
import { type NativeName, nativeFolder } from './paths.ts';

export { requireFromTfjsNode } from './native.ts';

/** The engines that tensors can run on. */
export type BackendName = 'native' | 'native-gpu' | 'wasm';

/** The engine in use. */
export interface Backend {
  name: BackendName;
  /** Version of TensorFlow, for example `2.21.0`; `null` on WASM. */
  tensorflow: string | null;
  /** Threads of one kernel. */
  threads: number;
  /** One line: why this engine and not another. */
  reason: string;
  /** tfjs-node's binding object; absent on WASM. */
  binding?: TensorFlowBinding;
}

/** What may be asked for: an engine, or the best that is set up. */
export type BackendChoice = BackendName | 'auto';

const loaded = new Map<BackendName, Promise<Backend>>();

/** The engine that runs in progress compute on, and how many there are: tfjs has one for all that a process does. */
const held: { name: BackendName | null; runs: number } = { name: null, runs: 0 };

/**
 * Loads an engine, makes it the backend of tfjs, and supplies the kernels that it lacks. Calls after the first are cheap.
 * It is the backend of everything in the process from then on.
 *
 * @param prefer - `auto` takes `TAILMIX_BACKEND` if set, else the first of native-gpu, native and wasm that loads.
 * @throws {TailmixError} BACKEND_UNAVAILABLE if an engine asked for by name does not load; BACKEND_UNKNOWN.
 * @throws {TailmixError} BACKEND_BUSY if a run in progress computes on another engine.
 */
export async function loadBackend(prefer: BackendChoice = 'auto'): Promise<Backend> {
  const { backend, release } = await holdBackend(prefer);
  release();
  return backend;
}

/**
 * {@link loadBackend}, and no other engine can be loaded until `release` is called. Several may hold the same one.
 */
export async function holdBackend(prefer: BackendChoice = 'auto'): Promise<{ backend: Backend; release(): void }> {
  const backend = await choose(prefer);
  if (held.runs > 0 && held.name !== backend.name) throw backendBusy(backend.name, held.name!);
  held.name = backend.name;
  held.runs++;
  let isHeld = true;
  const release = (): void => {
    if (isHeld) held.runs--;
    isHeld = false;
  };
  try {
    await withoutHandlers(async () => {
      const starts = await tf.setBackend(backend.name === 'wasm' ? 'wasm' : 'tensorflow');
      if (!starts) throw backendUnavailable(backend.name, 'it does not start', 'TensorFlow.js says why above.');
      await tf.ready();
    });
    supplyKernels();
  } catch (error) {
    release();
    throw error;
  }
  return { backend, release };
}

/** Emscripten's code throws again what the process catches: the handlers that `work` adds are removed. */
async function withoutHandlers(work: () => Promise<void>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'];
  const before = events.map((event) => new Set(process.rawListeners(event)));
  await work();
  for (const [i, event] of events.entries())
    for (const listener of process.rawListeners(event))
      if (!before[i]!.has(listener)) process.off(event, listener as () => void);
}

async function choose(prefer: BackendChoice): Promise<Backend> {
  if (!backendChoices.has(prefer)) throw unknownBackend('backend', prefer);
  checkEnvironment();
  if (prefer !== 'auto') return loadByName(prefer, 'requested by name');
  const fromEnv = process.env.TAILMIX_BACKEND;
  if (fromEnv) {
    if (fromEnv !== 'auto') return loadByName(fromEnv as BackendName, 'TAILMIX_BACKEND asks for it');
  }
  const order: NativeName[] = whyNotNative('native-gpu') === null ? ['native-gpu', 'native'] : ['native'];
  const problems: string[] = [];
  for (const name of order) {
    try {
      return await loadByName(name, ['the fastest that is set up', ...problems].join('; '));
    } catch (error) {
      problems.push(
        `${name} is not available: ${messageOf(error instanceof TailmixError ? (error.cause ?? error) : error)}`,
      );
    }
  }
  return loadByName('wasm', problems.join('; '));
}

function loadByName(name: BackendName, reason: string): Promise<Backend> {
  const before = loaded.get(name);
  if (before !== undefined) return before;
  const promise = name === 'wasm' ? loadWasm(reason) : loadNativeByName(name, reason);
  loaded.set(name, promise);
  promise.catch(() => loaded.delete(name));
  return promise;
}

async function loadNativeByName(name: NativeName, reason: string): Promise<Backend> {
  const missing = whyNotNative(name);
  if (missing !== null) throw backendUnavailable(name, missing, missing);
  await markInUse(nativeFolder(name));
  try {
    const { binding, threads } = loadNative(name);
    const noGpu = name === 'native-gpu' && !binding.isUsingGpuDevice();
    const why = noGpu ? `${reason}; TensorFlow finds no GPU and works on the CPU` : reason;
    return { name, tensorflow: binding.TF_Version, threads, reason: why, binding };
  } catch (error) {
    throw backendUnavailable(name, messageOf(error), messageOf(error));
  }
}

async function loadWasm(reason: string): Promise<Backend> {
  await import('#tfjs-wasm');
  return { name: 'wasm', tensorflow: null, threads: 1, reason };
}
