import { systemRefused, TailmixError } from '../errors.ts';

const setUpProblem = (code: string, message: string): TailmixError => new TailmixError(message, { code });

/** `TAILMIX_BACKEND` or an option names a backend that does not exist. */
export const unknownBackend = (where: string, got: string): TailmixError =>
  new TailmixError(`${where}: expected auto, native, native-gpu or wasm, got ${JSON.stringify(got)}.`, {
    code: 'BACKEND_UNKNOWN',
    kind: 'config',
    path: where,
  });

/** `TAILMIX_THREADS` is not a number of threads. */
export const badThreads = (got: string): TailmixError =>
  new TailmixError(
    `TAILMIX_THREADS (or TF_NUM_INTRAOP_THREADS): expected a whole number from 1 to 1024, got ${JSON.stringify(got)}.`,
    {
      code: 'THREADS',
      kind: 'config',
      path: 'TAILMIX_THREADS',
    },
  );

/** `TAILMIX_PJRT_MEMORY` is no fraction. */
export const badDeviceMemory = (got: string): TailmixError =>
  new TailmixError(
    `TAILMIX_PJRT_MEMORY: expected a fraction of the device's memory, above 0 and up to 1, got ${JSON.stringify(got)}.`,
    {
      code: 'PJRT_MEMORY',
      kind: 'config',
      path: 'TAILMIX_PJRT_MEMORY',
    },
  );

/** `TAILMIX_OPS` names no instruction set that custom ops are compiled for. */
export const unknownOps = (got: string): TailmixError =>
  new TailmixError(`TAILMIX_OPS: expected 0, avx2, avx512 or neon, got ${JSON.stringify(got)}.`, {
    code: 'OPS_UNKNOWN',
    kind: 'config',
    path: 'TAILMIX_OPS',
  });

/** A native backend was asked for by name and cannot be loaded. */
export const backendUnavailable = (name: string, why: string, cause?: unknown): TailmixError =>
  new TailmixError(`Backend ${name} was requested and is not available: ${why}`, {
    code: 'BACKEND_UNAVAILABLE',
    cause,
  });

/** The machine cannot run TensorFlow's C library. */
export const unsupported = (why: string): TailmixError => setUpProblem('PLATFORM_UNSUPPORTED', why);

/** No C++ compiler is installed. */
export const noCompiler = (wanted: string[]): TailmixError =>
  setUpProblem(
    'NO_COMPILER',
    `no C++ compiler was found (looked for ${wanted.join(', ')}); install one, for example with ` +
      '`apt install g++` or `dnf install gcc-c++`, and run `tailmix setup` again.',
  );

/** The compiler rejected `what`. */
export const compileFailed = (compiler: string, what: string, reason: string): TailmixError =>
  setUpProblem(
    'COMPILE_FAILED',
    `${compiler} could not compile ${what}: ${reason}; set CXX to a C++17 compiler and run \`tailmix setup\` again.`,
  );

/** The compiled binding does not load. */
export const loadFailed = (reason: string): TailmixError =>
  setUpProblem('LOAD_FAILED', `TensorFlow was installed and does not load: ${reason}`);

/** The library that loads has another version than the one that was installed. */
export const wrongVersion = (expected: string, got: string): TailmixError =>
  setUpProblem(
    'LOAD_FAILED',
    `TensorFlow ${expected} was expected, and the wheel holds ${got}; use a wheel of ${expected}.`,
  );

/** Too little room for the libraries. */
export const diskFull = (folder: string, neededMb: number, freeMb: number): TailmixError =>
  setUpProblem(
    'DISK_FULL',
    `${folder} needs ${neededMb} MB free, it has ${freeMb} MB; free some, or set TAILMIX_CACHE to a folder with room.`,
  );

/** The cache folder cannot be written, or another system error. */
export const cacheUnusable = (folder: string, cause: unknown): TailmixError =>
  setUpProblem(
    'CACHE_UNUSABLE',
    `${folder} cannot be used: ${systemRefused(cause, 'set TAILMIX_CACHE to a folder that can be written')}`,
  );

/** npm could not fetch the packages. */
export const npmFailed = (reason: string): TailmixError =>
  setUpProblem(
    'NPM_FAILED',
    `npm could not fetch tfjs-node: ${reason}; check the network with \`npm ping\` and run \`tailmix setup\` again.`,
  );

/** `tar` could not unpack a package. */
export const tarFailed = (tarball: string, reason: string): TailmixError =>
  setUpProblem('TAR_FAILED', `${tarball} could not be unpacked: ${reason}; \`tar\` with gzip is needed.`);

/** An index answered with an error; the message is a reason inside {@link wheelNotFound}. */
export const indexAnswered = (status: number): TailmixError => setUpProblem('INDEX_ANSWERED', `it answered ${status}`);

/** A place has no wheel that fits. */
export const noSuchWheel = (project: string, version: string, machine: string): TailmixError =>
  setUpProblem('NO_SUCH_WHEEL', `no wheel of ${project} ${version} for ${machine}`);

/** A run in progress computes on another engine, and would be moved to this one. */
export const backendBusy = (wanted: string, inUse: string): TailmixError =>
  new TailmixError(
    `backend ${wanted}: a run or predictor of this process computes on ${inUse}, and a process computes on one backend at a time. ` +
      `Use ${inUse} here too, wait for that run to end (or dispose that predictor), or start another process.`,
    { code: 'BACKEND_BUSY' },
  );

/** Neither index nor pip gave the wheel. */
export const wheelNotFound = (project: string, version: string, reasons: string[]): TailmixError =>
  setUpProblem(
    'WHEEL_NOT_FOUND',
    `the wheel of ${project} ${version} could not be fetched (${reasons.join('; ')}); check the network and the index ` +
      'settings (PIP_INDEX_URL, pip.conf), or give a downloaded wheel: `tailmix setup --from FILE`.',
  );

/** Python is not installed, so that pip cannot be asked. */
export const noPip = (): TailmixError => setUpProblem('NO_PIP', 'no Python was found');

/** `pip download` failed. */
export const pipFailed = (reason: string): TailmixError => setUpProblem('PIP_FAILED', reason || 'it gave no wheel');

/** A file given with `--from` does not exist or is no fitting wheel. */
export const fromNotUsable = (path: string, project: string, version: string, machine: string): TailmixError =>
  new TailmixError(
    `--from ${path}: expected a wheel of ${project} ${version} for ${machine} (any Python version), or a folder ` +
      'that holds one; got none.',
    { code: 'FROM', kind: 'config', path: '--from' },
  );

/** The zip file cannot be read. */
export const wheelDamaged = (wheel: string, reason: string): TailmixError =>
  setUpProblem('WHEEL_DAMAGED', `${wheel} is damaged (${reason}); delete it and run \`tailmix setup\` again.`);

/** The wheel lacks a library. */
export const wheelWithout = (wheel: string, member: string): TailmixError =>
  setUpProblem('WHEEL_WITHOUT', `${wheel} holds no ${member}; it is not a TensorFlow wheel that tailmix knows.`);

/** TensorFlow's wheel does not say which packages of NVIDIA it needs. */
export const cudaNotNamed = (wheel: string, extra: string): TailmixError =>
  setUpProblem(
    'WHEEL_WITHOUT',
    `${wheel} names no packages of CUDA (its extra \`${extra}\`); it is not the wheel that was wanted.`,
  );

/** Training on several machines needs a module that is not there. */
export const clusterModuleMissing = (why: string): TailmixError =>
  new TailmixError(`--cluster: expected the module that opens TensorFlow's server, got none: ${why}`, {
    code: 'CLUSTER_MODULE',
    kind: 'config',
  });

/** A device needs a module that is not there. */
export const pjrtModuleMissing = (why: string): TailmixError =>
  new TailmixError(`train.device: expected the module that opens PJRT plugins, got none: ${why}`, {
    code: 'PJRT_MODULE',
    kind: 'config',
  });
