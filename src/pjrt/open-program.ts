import { performance } from 'node:perf_hooks';
import type { Backend } from '../backend/load.ts';
import { checkFeeds } from '../graph/check.ts';
import { graphDisposed } from '../graph/errors.ts';
import {
  DT,
  type GraphProgram,
  type HostArray,
  type HostOutputs,
  type KeptCall,
  keptCalls,
  mergeEqual,
  type OpenGraph,
  type Signature,
  signatureKey,
} from '../graph/index.ts';
import { createRecordedCalls, type RecordedCallsOptions } from '../graph/recorded-calls.ts';
import { checkState } from '../graph/state.ts';
import { mapValues } from '../util/map-values.ts';
import type { Device, DeviceProgram, DeviceTensor } from './device.ts';
import { recorderMissing } from './errors.ts';
import { type LowerOptions, lower } from './lower.ts';

/** How a program runs on a device. */
export interface DeviceProgramOptions extends RecordedCallsOptions, Pick<LowerOptions, 'precision'> {
  /** What was recorded elsewhere: TensorFlow is not needed. Default: it records here. */
  recorded?: readonly KeptCall[] | undefined;
}

/** A program on a device, which holds its state. */
export interface OpenProgram extends Omit<OpenGraph, 'stats' | 'replacedBy'> {
  /**
   * Starts a call and returns at once: the state that it replaces may be used by the next one, which waits for it on the device.
   *
   * @returns what waits for the outputs and copies them; to be called once
   */
  start(signature: Signature, inputs: Readonly<Record<string, HostArray>>): () => HostOutputs;
  readonly stats: { compileMs: number };
}

/**
 * Records every signature of a program with TensorFlow, or takes what was recorded, compiles each for a device, and runs it there. State stays on the
 * device: a call gives its memory to the state that takes its place.
 *
 * @throws {CaptureError} if the program cannot be recorded, lowered or compiled; nothing is left behind.
 */
export function openProgram(
  program: GraphProgram,
  backend: Pick<Backend, 'binding' | 'name'>,
  device: Device,
  { precision, recorded, ...options }: DeviceProgramOptions = {},
): OpenProgram {
  const calls = recorded
    ? keptCalls(recorded, options.rewrite ?? mergeEqual)
    : recordingCalls(program, backend, options);
  const programs = new Map<string, DeviceProgram>();
  let state: Record<string, DeviceTensor> | undefined;
  const stats = { compileMs: 0 };

  const compiled = (signature: Signature): DeviceProgram => {
    const key = signatureKey(signature);
    const known = programs.get(key);
    if (known !== undefined) return known;
    const before = performance.now();
    const { recording } = calls.add(partOf(signature));
    const made = device.compile(signature.call, lower(recording, { precision, sharding: shardingOf(signature) }));
    programs.set(key, made);
    stats.compileMs += performance.now() - before;
    return made;
  };
  /** Several devices share rows that divide evenly among them; what does not, each computes as a whole. */
  const shardingOf = ({ inputs, parts = 1 }: Signature): LowerOptions['sharding'] => {
    const devices = device.count;
    if (devices === 1) return undefined;
    const splits = (name: string): boolean => Boolean(inputs[name]?.rows) && inputs[name]!.shape[0]! % devices === 0;
    return { devices, parts: parts > 1, splits };
  };
  const live = (): Record<string, DeviceTensor> => {
    if (state === undefined) throw graphDisposed();
    return state;
  };
  const put = (name: string, values: Float32Array): void => {
    checkState(program.state, name, values);
    const { shape } = program.state[name]!;
    const before = live()[name];
    live()[name] = device.upload(values, { shape, dtype: DT.float32 });
    if (before) device.free(before);
  };
  const dispose = (): void => {
    for (const held of [...Object.values(state ?? {}), ...programs.values()]) device.free(held);
    state = undefined;
    programs.clear();
  };

  try {
    for (const signature of program.signatures) compiled(signature);
    state = {};
    for (const name of Object.keys(program.state)) put(name, program.state[name]!.values);
  } catch (error) {
    dispose();
    throw error;
  }

  const start: OpenProgram['start'] = (signature, inputs) => {
    const current = live();
    checkFeeds(signature, inputs);
    const made = compiled(signature);
    const { parameters, nextState, outputs } = made.lowered;
    const fed: DeviceTensor[] = [];
    let results: DeviceTensor[] = [];
    try {
      const given = parameters.map(({ kind, name, spec, split }) => {
        if (kind === 'state') return current[name]!;
        fed.push(device.upload(inputs[name]!, spec, split));
        return fed.at(-1)!;
      });
      results = device.run(made, given);
    } finally {
      for (const tensor of fed) device.free(tensor);
    }
    for (const [i, name] of nextState.entries()) {
      device.free(current[name]!);
      current[name] = results[i]!;
    }
    const wanted = results.slice(nextState.length);
    return () => {
      try {
        const arrays = device.download(wanted);
        return Object.fromEntries(outputs.map(({ name }, i) => [name, asOutput(arrays[i]!)])) as HostOutputs;
      } finally {
        for (const tensor of wanted) device.free(tensor);
      }
    };
  };

  return {
    stats,
    start,
    macs: calls.macs,
    run: (signature, inputs) => start(signature, inputs)(),
    read(names = Object.keys(program.state)) {
      const current = live();
      for (const name of names) checkState(program.state, name);
      const arrays = device.download(names.map((name) => current[name]!));
      return Object.fromEntries(names.map((name, i) => [name, arrays[i] as Float32Array]));
    },
    write(values) {
      for (const [name, array] of Object.entries(values)) checkState(program.state, name, array);
      for (const [name, array] of Object.entries(values)) put(name, array);
    },
    verify() {
      live();
      calls.verify();
    },
    dispose,
  };
}

function recordingCalls(
  program: GraphProgram,
  { binding, name }: Pick<Backend, 'binding' | 'name'>,
  options: RecordedCallsOptions,
) {
  if (binding === undefined) throw recorderMissing(name);
  return createRecordedCalls(program, binding, options);
}

/** A signature as a part of it is called. */
export const partOf = (signature: Signature): Signature =>
  signature.parts === undefined
    ? signature
    : {
        ...signature,
        inputs: mapValues(signature.inputs, (input) => {
          const [length, ...rest] = input.shape;
          return input.rows ? { ...input, shape: [length! / signature.parts!, ...rest] } : input;
        }),
      };

/** bool becomes int32, as in every engine. */
const asOutput = (values: Float32Array | Int32Array | Uint8Array): Float32Array | Int32Array =>
  values instanceof Uint8Array ? Int32Array.from(values) : values;
