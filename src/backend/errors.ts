import { TailmixError } from '../errors.ts';

/** `TAILMIX_BACKEND` or an option names a backend that does not exist. */
export const unknownBackend = (where: string, got: string): TailmixError =>
  new TailmixError(`${where}: expected auto, native, native-gpu or wasm, got ${JSON.stringify(got)}.`, {
    code: 'BACKEND_UNKNOWN',
    kind: 'config',
    path: where,
  });

/** A native backend was asked for by name and cannot be loaded. */
export const backendUnavailable = (name: string, why: string, cause?: unknown): TailmixError =>
  new TailmixError(`Backend ${name} was asked for and is not available: ${why}`, {
    code: 'BACKEND_UNAVAILABLE',
    cause,
  });
