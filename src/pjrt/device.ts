import { statSync } from 'node:fs';
import { join } from 'node:path';
import { cpuFeatures } from '../backend/cpu.ts';
import { cacheRoot } from '../backend/paths.ts';
import {
  type BufferHandle,
  type ClientOptions,
  loadPjrtModule,
  NO_DEVICE,
  type OpenedPlugin,
  openingCure,
  type PjrtModule,
  type ProgramHandle,
} from '../backend/pjrt-module.ts';
import { messageOf } from '../errors.ts';
import { dtypeName, type HostArray, type TensorSpec } from '../graph/index.ts';
import { sizeOf } from '../util/shape.ts';
import type { Selection } from './choice.ts';
import { compileOptionsProto } from './compile-options.ts';
import { argumentDiffers, compileRefused, deviceAbsent, deviceFailed, pluginRefused } from './errors.ts';
import type { LoweredProgram } from './lower.ts';
import { programCache, programKey } from './program-cache.ts';
import { partOf } from './sharding.ts';
import { elementType, hostArray } from './types.ts';

/** A tensor in the memory of all devices: the whole on each, or a part of its rows. */
export interface DeviceTensor {
  /** One for each device. */
  readonly handles: readonly BufferHandle[];
  /** Of the whole. */
  readonly spec: TensorSpec;
  readonly split: boolean;
}

/** A compiled program with what it takes and gives. */
export interface DeviceProgram {
  readonly handles: readonly [ProgramHandle];
  readonly lowered: LoweredProgram;
  readonly call: string;
  /** What it gives, in order. */
  readonly results: readonly TensorSpec[];
}

/** One or several devices of a plugin, which compute together, and what can be done there. */
export interface Device {
  /** For example `cuda`, `cpu`. */
  readonly platform: string;
  /** For example `NVIDIA H200`. */
  readonly kind: string;
  /** How many devices they are. */
  readonly count: number;
  /**
   * Compiles a program, or takes it from the cache of compiled programs.
   *
   * @throws {CaptureError} PJRT_COMPILE naming op and plugin where the compiler says which line it means.
   */
  compile(call: string, lowered: LoweredProgram): DeviceProgram;
  /** @param split - each device gets a part of the rows. Default: the whole. */
  upload(values: HostArray, spec: TensorSpec, split?: boolean): DeviceTensor;
  /** Copies tensors that are whole on each device to the host, and waits for what computes them. */
  download(tensors: readonly DeviceTensor[]): (Float32Array | Int32Array | Uint8Array)[];
  /**
   * Starts a program; its results come at once and are computed meanwhile. State that it replaces is gone.
   *
   * @throws {TailmixError} STEP_INPUT for an argument of another type or shape, which a plugin would take as it is.
   */
  run(program: DeviceProgram, inputs: readonly DeviceTensor[]): DeviceTensor[];
  /** Bytes of the first device's memory; null where it does not tell. */
  memory(): { used: number; peak?: number; limit?: number } | null;
  free(what: { handles: readonly (BufferHandle | ProgramHandle)[] }): void;
}

const clients = new Map<string, OpenedPlugin>();
const opened = new Map<string, Device>();

/**
 * Opens a plugin and takes devices of it. A process opens a plugin once with the same options.
 *
 * @param options - of the plugin's client. Default: those that suit its platform.
 * @throws {TailmixError} PJRT_MODULE, PJRT_PLUGIN, PJRT_DEVICE
 */
export function openDevice(plugin: string, options: ClientOptions = {}, selection?: Selection): Device {
  const module = loadPjrtModule();
  const client = JSON.stringify([plugin, options]);
  const info = clients.get(client) ?? openPlugin(module, plugin, options);
  clients.set(client, info);
  // What a client was told to see is all that it has.
  const seen = 'visible_devices' in options || selection === 'all' ? info.devices : selected(info, selection ?? [0]);
  const key = JSON.stringify([client, seen.map(({ id }) => id)]);
  const device = opened.get(key) ?? createDevice(module, { ...info, devices: seen }, statSync(plugin));
  opened.set(key, device);
  return device;
}

function openPlugin(module: PjrtModule, plugin: string, options: ClientOptions): OpenedPlugin {
  let info: OpenedPlugin;
  try {
    info = module.open(plugin, options);
  } catch (error) {
    throw pluginRefused(plugin, error, openingCure((error as { code?: unknown }).code) ?? 'Run `tailmix doctor`.');
  }
  if (info.devices.length === 0) throw pluginRefused(plugin, 'it finds no device', openingCure(NO_DEVICE)!);
  return info;
}

const selected = ({ devices }: OpenedPlugin, selection: readonly number[]): OpenedPlugin['devices'] =>
  selection.map((place) => {
    const device = devices[place];
    if (device === undefined) throw deviceAbsent(place, devices.length);
    return device;
  });

/** Options of XLA: the same run gives the same bits. */
const deterministic = (platform: string): Readonly<Record<string, boolean>> =>
  /cuda|gpu|rocm/i.test(platform) ? { xla_gpu_deterministic_ops: true } : {};

function createDevice(module: PjrtModule, info: OpenedPlugin, file: { size: number; mtimeMs: number }): Device {
  const { count, ids } = { count: info.devices.length, ids: info.devices.map(({ id }) => id) };
  const compileOptions = compileOptionsProto(deterministic(info.platform), ids);
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
    count,
    compile(call, lowered) {
      try {
        return { handles: [compiled(Buffer.from(lowered.text))], lowered, call, results: resultsOf(lowered) };
      } catch (error) {
        throw compileRefused(call, culpritOf(lowered, messageOf(error)), error);
      }
    },
    upload(values, spec, split = false) {
      const { pjrt, width } = elementType(spec.dtype);
      const { shape } = partOf({ spec, split }, count);
      const size = sizeOf(shape);
      const handles = info.devices.map(({ place }, i) =>
        attempt('copying to it', () =>
          module.upload(info.id, split ? values.subarray(i * size, (i + 1) * size) : values, {
            type: pjrt,
            width,
            shape,
            device: place,
          }),
        ),
      );
      return { handles, spec, split };
    },
    download(tensors) {
      const arrays = tensors.map(({ spec }) => hostArray(spec));
      attempt('computing', () =>
        module.download(
          tensors.map(({ handles: [first] }) => first!),
          arrays,
        ),
      );
      return arrays;
    },
    run(program, inputs) {
      const { lowered, call } = program;
      checkArguments(call, lowered, inputs);
      const given = info.devices.map((_, i) => inputs.map(({ handles }) => handles[i]!));
      const results = attempt(`"${call}"`, () => module.run(program.handles[0], given));
      return program.results.map((spec, i) => ({ handles: results.map((list) => list[i]!), spec, split: false }));
    },
    memory() {
      try {
        return module.memory(info.id, info.devices[0]!.place);
      } catch {
        return null;
      }
    },
    free: ({ handles }) => {
      for (const handle of handles) module.free(handle);
    },
  };
}

/** New state has the spec of the parameter that it takes the place of: the very object, which is quickly compared. */
function resultsOf({ parameters, nextState, outputs }: LoweredProgram): TensorSpec[] {
  const states = parameters.filter(({ kind }) => kind === 'state').map(({ name, spec }) => [name, spec] as const);
  const specs = new Map(states);
  return [...nextState.map((name) => specs.get(name)!), ...outputs.map(({ spec }) => spec)];
}

const describe = ({ spec: { dtype, shape }, split }: Pick<DeviceTensor, 'spec' | 'split'>): string =>
  `${dtypeName(dtype)}[${shape.join(', ')}]${split ? ', in parts' : ''}`;

function checkArguments(call: string, { parameters }: LoweredProgram, inputs: readonly DeviceTensor[]): void {
  for (const [i, { name, spec, split }] of parameters.entries()) {
    const got = inputs[i];
    if (got?.spec === spec && got.split === split) continue;
    const [expected, came] = [describe({ spec, split }), got ? describe(got) : 'nothing'];
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
