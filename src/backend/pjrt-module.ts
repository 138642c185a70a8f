import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { badDeviceMemory, pjrtModuleMissing } from './errors.ts';
import { ownModule } from './own-module.ts';
import { PJRT_HEADER } from './wheel-layout.ts';

/** A buffer on a device; freed by {@link PjrtModule.free}, or with the garbage. */
export type BufferHandle = { readonly buffer: unique symbol };

/** A compiled program. */
export type ProgramHandle = { readonly program: unique symbol };

/** A plugin that is open: it lives as long as the process. */
export interface OpenedPlugin {
  id: number;
  /** Of the C interface 0.x. */
  apiMinor: number;
  /** For example `cuda`, `cpu`. */
  platform: string;
  platformVersion: string;
  /** `place`: in the list of all that the client has. */
  devices: { id: number; kind: string; place: number }[];
}

/** Options of a plugin's client, by name. */
export type ClientOptions = Readonly<Record<string, number | string | boolean | readonly number[]>>;

/** What lies in a buffer. */
export interface UploadSpec {
  /** `PJRT_Buffer_Type`. */
  type: number;
  /** Bytes of an element. */
  width: number;
  shape: readonly number[];
  /** Index of the plugin's devices. */
  device: number;
}

/**
 * What `native/pjrt.cc` exports: programs on the devices of a PJRT plugin. Errors have the plugin's code as text in `code`.
 * A plugin does not check the types and shapes of a program's arguments: whoever runs one must.
 */
export interface PjrtModule {
  /** Opens a plugin's library, with options of its client. */
  open(file: string, options: ClientOptions): OpenedPlugin;
  /** Compiles StableHLO, as text in UTF-8, with a `CompileOptionsProto`. */
  compile(plugin: number, code: Uint8Array, options: Uint8Array): ProgramHandle;
  /** A compiled program as bytes, which the same version of the plugin loads on the same kind of device. */
  serialize(program: ProgramHandle): Uint8Array;
  /** Loads what `serialize` gave; the bytes are not checked. */
  load(plugin: number, bytes: Uint8Array): ProgramHandle;
  /** Copies an array to a device. */
  upload(plugin: number, values: ArrayBufferView, spec: UploadSpec): BufferHandle;
  /** Copies buffers to arrays of their sizes, and waits for what computes them. */
  download(buffers: readonly BufferHandle[], arrays: readonly ArrayBufferView[]): void;
  /** Starts a program with the buffers of each device; its results come at once and are computed meanwhile. */
  run(program: ProgramHandle, inputs: readonly (readonly BufferHandle[])[]): BufferHandle[][];
  free(handle: BufferHandle | ProgramHandle): void;
  /** Bytes of a device's memory. */
  memory(plugin: number, device: number): { used: number; peak?: number; limit?: number };
}

/**
 * Options of a plugin's client. Memory is taken as it is needed, or the fraction of it at once that `TAILMIX_PJRT_MEMORY` says;
 * plugins for processors know no such options.
 *
 * @param devices - those that a process takes nothing of others than: a GPU's driver keeps some memory for each process. Default: all.
 * @throws {TailmixError} PJRT_MEMORY
 */
export function clientOptions(
  plugin: string,
  env: NodeJS.ProcessEnv = process.env,
  devices?: readonly number[],
): { preallocate?: boolean; memory_fraction?: number; visible_devices?: readonly number[] } {
  const given = env.TAILMIX_PJRT_MEMORY;
  const fraction = given ? Number(given) : null;
  if (fraction !== null && !(fraction > 0 && fraction <= 1)) throw badDeviceMemory(given!);
  if (!/cuda|rocm/.test(basename(plugin))) return {};
  return {
    ...(fraction === null ? { preallocate: false } : { preallocate: true, memory_fraction: fraction }),
    ...(devices && { visible_devices: devices }),
  };
}

/** What to do about an error at opening, by its code. */
export const openingCure = (code: unknown): string | undefined =>
  ({
    DLOPEN: 'Check the path, and that the plugin’s own libraries lie where it looks for them (`ldd`).',
    DLSYM: 'Give the library of a PJRT plugin, as TAILMIX_PJRT=PLUGIN.so.',
    VERSION: 'Its C interface is of another kind than tailmix was built for: use a plugin of today.',
    [NO_DEVICE]: 'Is the driver installed, and is a device visible to this process (CUDA_VISIBLE_DEVICES)?',
  })[String(code)];

/** A plugin's code where it finds no device. */
export const NO_DEVICE = '9';

const headerIn = (folder: string): string => join(folder, 'lib', PJRT_HEADER);

/** Runs on this machine's processor do without it. */
export const {
  setUp: setUpPjrtModule,
  isCompiled: hasPjrtModule,
  load: loadPjrtModule,
  path: pjrtModulePath,
} = ownModule<PjrtModule>({
  name: 'pjrt',
  headers: ['pjrt_open.h', 'pjrt_values.h', 'node_api.h'],
  purpose: 'training on a device',
  flags: (folder) => ({ flags: [`-I${join(folder, 'lib')}`], libraries: ['-ldl'] }),
  whyNot: (folder) =>
    existsSync(headerIn(folder))
      ? null
      : 'the set-up is of an older tailmix; run `tailmix setup` with TAILMIX_PJRT set.',
  missing: pjrtModuleMissing,
});
