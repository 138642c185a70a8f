import { statSync } from 'node:fs';
import { join } from 'node:path';
import { cpuFeatures } from '../backend/cpu.ts';
import { cacheRoot } from '../backend/paths.ts';
import {
  type BufferHandle,
  loadPjrtModule,
  NO_DEVICE,
  type OpenedPlugin,
  openingCure,
  type PjrtModule,
  type ProgramHandle,
} from '../backend/pjrt-module.ts';
import { messageOf } from '../errors.ts';
import { dtypeName, type HostArray, type TensorSpec } from '../graph/index.ts';
import { compileOptionsProto } from './compile-options.ts';
import { argumentDiffers, compileRefused, deviceFailed, pluginRefused } from './errors.ts';
import type { LoweredProgram } from './lower.ts';
import { programCache, programKey } from './program-cache.ts';
import { elementType, hostArray } from './types.ts';

/** A tensor in a device's memory. */
export interface DeviceTensor {
  readonly handle: BufferHandle;
  readonly spec: TensorSpec;
}

/** A compiled program with what it takes and gives. */
export interface DeviceProgram {
  readonly handle: ProgramHandle;
  readonly lowered: LoweredProgram;
  readonly call: string;
  /** What it gives, in order. */
  readonly results: readonly TensorSpec[];
}

/** A device of a plugin, and what can be done there. */
export interface Device {
  /** For example `cuda`, `cpu`. */
  readonly platform: string;
  /** For example `NVIDIA H200`. */
  readonly kind: string;
  /**
   * Compiles a program, or takes it from the cache of compiled programs.
   *
   * @throws {CaptureError} PJRT_COMPILE naming op and plugin where the compiler says which line it means.
   */
  compile(call: string, lowered: LoweredProgram): DeviceProgram;
  upload(values: HostArray, spec: TensorSpec): DeviceTensor;
  /** Copies tensors to the host, and waits for what computes them. */
  download(tensors: readonly DeviceTensor[]): (Float32Array | Int32Array | Uint8Array)[];
  /**
   * Starts a program; its results come at once and are computed meanwhile. State that it replaces is gone.
   *
   * @throws {TailmixError} STEP_INPUT for an argument of another type or shape, which a plugin would take as it is.
   */
  run(program: DeviceProgram, inputs: readonly DeviceTensor[]): DeviceTensor[];
  free(what: { handle: BufferHandle | ProgramHandle }): void;
}

const opened = new Map<string, Device>();

/**
 * Opens a plugin and takes its first device. A process opens a plugin once.
 *
 * @param options - of the plugin's client. Default: those that suit its platform.
 * @throws {TailmixError} PJRT_MODULE, PJRT_PLUGIN
 */
export function openDevice(plugin: string, options: Readonly<Record<string, number | string | boolean>> = {}): Device {
  const known = opened.get(plugin);
  if (known !== undefined) return known;
  const module = loadPjrtModule();
  let info: OpenedPlugin;
  try {
    info = module.open(plugin, options);
  } catch (error) {
    throw pluginRefused(plugin, error, openingCure((error as { code?: unknown }).code) ?? 'Run `tailmix doctor`.');
  }
  if (info.devices.length === 0) throw pluginRefused(plugin, 'it finds no device', openingCure(NO_DEVICE)!);
  const device = createDevice(module, info, statSync(plugin));
  opened.set(plugin, device);
  return device;
}

/** Options of XLA: the same run gives the same bits. */
const deterministic = (platform: string): Readonly<Record<string, boolean>> =>
  /cuda|gpu|rocm/i.test(platform) ? { xla_gpu_deterministic_ops: true } : {};

function createDevice(module: PjrtModule, info: OpenedPlugin, file: { size: number; mtimeMs: number }): Device {
  const compileOptions = compileOptionsProto(deterministic(info.platform));
  const attempt = <Result>(what: string, work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw deviceFailed(what, error);
    }
  };
  const { apiMinor, platform, platformVersion, devices } = info;
  // A program of a processor has its instructions.
  const machine = platform === 'cpu' ? JSON.stringify(cpuFeatures()) : '';
  const compiler = [file.size, file.mtimeMs, apiMinor, platform, platformVersion, devices[0]!.kind, machine];
  const compiled = (text: Uint8Array): ProgramHandle => {
    const cache = programCache(join(cacheRoot(), 'programs'));
    const key = programKey([...compiler, compileOptions, text]);
    const kept = cache.read(key);
    if (kept !== null) {
      try {
        return module.load(info.id, kept);
      } catch {
        // The plugin does not take it back: it is compiled again.
      }
    }
    const program = module.compile(info.id, text, compileOptions);
    try {
      cache.write(key, module.serialize(program));
    } catch {
      // A plugin that cannot serialise.
    }
    return program;
  };
  return {
    platform: info.platform,
    kind: info.devices[0]!.kind,
    compile(call, lowered) {
      try {
        return { handle: compiled(Buffer.from(lowered.text)), lowered, call, results: resultsOf(lowered) };
      } catch (error) {
        throw compileRefused(call, culpritOf(lowered, messageOf(error)), error);
      }
    },
    upload(values, spec) {
      const { pjrt, width } = elementType(spec.dtype);
      const handle = attempt('copying to it', () =>
        module.upload(info.id, values, { type: pjrt, width, shape: spec.shape, device: 0 }),
      );
      return { handle, spec };
    },
    download(tensors) {
      const arrays = tensors.map(({ spec }) => hostArray(spec));
      attempt('computing', () =>
        module.download(
          tensors.map(({ handle }) => handle),
          arrays,
        ),
      );
      return arrays;
    },
    run(program, inputs) {
      const { lowered, call } = program;
      checkArguments(call, lowered, inputs);
      const handles = inputs.map(({ handle }) => handle);
      const [results] = attempt(`"${call}"`, () => module.run(program.handle, [handles]));
      return results!.map((handle, i) => ({ handle, spec: program.results[i]! }));
    },
    free: ({ handle }) => module.free(handle),
  };
}

/** New state has the spec of the parameter that it takes the place of: the very object, which is quickly compared. */
function resultsOf({ parameters, nextState, outputs }: LoweredProgram): TensorSpec[] {
  const states = parameters.filter(({ kind }) => kind === 'state').map(({ name, spec }) => [name, spec] as const);
  const specs = new Map(states);
  return [...nextState.map((name) => specs.get(name)!), ...outputs.map(({ spec }) => spec)];
}

const describe = ({ dtype, shape }: TensorSpec): string => `${dtypeName(dtype)}[${shape.join(', ')}]`;

function checkArguments(call: string, { parameters }: LoweredProgram, inputs: readonly DeviceTensor[]): void {
  for (const [i, { name, spec }] of parameters.entries()) {
    const got = inputs[i]?.spec;
    if (got === spec) continue;
    const [expected, came] = [describe(spec), got ? describe(got) : 'nothing'];
    if (expected !== came) throw argumentDiffers(call, name, expected, came);
  }
  if (inputs.length > parameters.length) {
    throw argumentDiffers(call, `${parameters.length}`, 'no more', `${inputs.length} of them`);
  }
}

/** Op and plugin that a compiler's message is about: by the line that it names, or by the location of the op. */
function culpritOf(lowered: LoweredProgram, message: string): { op?: string; owner?: string } {
  const line = /(?:^|\s)-:(\d+):\d+: error/.exec(message);
  if (line) return lowered.originOf(Number(line[1]));
  const location = /loc\("([^"[]+?)(?: \[([^\]"]+)\])?"/.exec(message);
  return location ? { op: location[1]!, ...(location[2] !== undefined && { owner: location[2] }) } : {};
}
