import { availableParallelism } from 'node:os';
import process from 'node:process';
import { badThreads, unknownBackend, unknownOps } from './errors.ts';

/** What may be asked for: an engine, or the best that is set up. */
export const backendChoices: ReadonlySet<string> = new Set(['auto', 'native', 'native-gpu', 'wasm']);

/** More than any machine has cores; TensorFlow starts each of them. */
const MOST_THREADS = 1024;

/**
 * Threads of one kernel: `TAILMIX_THREADS` or `TF_NUM_INTRAOP_THREADS` if set, else one per core that this process may
 * use.
 *
 * @throws {TailmixError} THREADS if TAILMIX_THREADS is not a whole number from 1 to 1024
 */
export function wantedThreads(env: NodeJS.ProcessEnv = process.env): number {
  const asked = env.TAILMIX_THREADS || env.TF_NUM_INTRAOP_THREADS;
  if (!asked) return availableParallelism();
  if (!/^[1-9]\d*$/.test(asked) || Number(asked) > MOST_THREADS) throw badThreads(asked);
  return Number(asked);
}

/** What `TAILMIX_OPS` may be: without custom ops, or with those for no more than an instruction set. */
const opsChoices = ['0', 'avx2', 'avx512', 'neon'];

/**
 * Checks what the environment says of engines, which is passed over where it does not matter and must not be then.
 *
 * @throws {TailmixError} THREADS, BACKEND_UNKNOWN, OPS_UNKNOWN
 */
export function checkEnvironment(env: NodeJS.ProcessEnv = process.env): void {
  wantedThreads(env);
  const { TAILMIX_BACKEND: backend, TAILMIX_OPS: ops } = env;
  if (backend && !backendChoices.has(backend)) throw unknownBackend('TAILMIX_BACKEND', backend);
  if (ops && !opsChoices.includes(ops)) throw unknownOps(ops);
}
