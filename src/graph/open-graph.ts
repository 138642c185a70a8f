import { performance } from 'node:perf_hooks';
import type { Backend } from '../backend/load.ts';
import { internal } from '../errors.ts';
import { collectGarbage } from '../util/garbage.ts';
import { numbersIn } from '../util/shape.ts';
import { checkFeeds } from './check.ts';
import { backendNotNative, graphDisposed } from './errors.ts';
import { type LoadedGraph, loadGraph } from './load-graph.ts';
import { createRecordedCalls, type Recorded, type RecordedCallsOptions } from './recorded-calls.ts';
import { DT, type OpNode, type TensorSpec } from './recording.ts';
import { openSession, type Session } from './session.ts';
import { checkState } from './state.ts';
import type { GraphProgram, HostArray, HostOutputs, Signature } from './types.ts';

/** How a program becomes a graph. */
export interface GraphOptions extends RecordedCallsOptions {
  /** Op that copies what the host writes into state, where TensorFlow can run it. Default: TensorFlow's `DeepCopy`. */
  copyOp?: string;
  /** Loads the bytes of a `saved_model.pb`. Default: into the session of this process that tfjs-node opens. */
  openSession?: ((model: Uint8Array) => Session) | undefined;
}

/** What recording and loading cost, for logs. */
export interface GraphStats {
  /** Milliseconds spent recording and loading, all signatures. */
  compileMs: number;
  /** Nodes of the loaded graph. */
  nodes: number;
  /** Signatures in the graph. */
  signatures: number;
  /** How often a signature that was not known in advance caused the graph to be built again. */
  rebuilds: number;
  /** Calls replayed by TensorFlow's session. */
  runs: number;
  /** The call that holds most memory, by the shapes of its recording, and how much. */
  peak: { call: string; bytes: number };
}

/** A program as one TensorFlow graph that holds its state. */
export interface OpenGraph {
  readonly stats: Readonly<GraphStats>;
  /** Calls a function; its new state replaces the old. */
  run(signature: Signature, inputs: Readonly<Record<string, HostArray>>): HostOutputs;
  /** Names of the state that a call replaces: all, where it is not recorded yet. */
  replacedBy(signature: Signature): readonly string[];
  /**
   * Multiply–accumulates of a call: of its convolutions and matrix products, as they were recorded, those of state alone left
   * out; null where it is not recorded yet.
   */
  macs(signature: Signature): number | null;
  /** Copies state out, all of it or the named part. */
  read(names?: readonly string[]): Record<string, Float32Array>;
  /** Replaces state by name; shapes must agree. */
  write(values: Readonly<Record<string, Float32Array>>): void;
  /**
   * Records every signature once more and compares it with what runs.
   *
   * @throws {CaptureError} CAPTURE_VARIES where a host value has changed since.
   */
  verify(): void;
  dispose(): void;
}

/**
 * Records every signature of a program, joins them into one graph, and replays it.
 *
 * A signature that was not known in advance is recorded at its first call; the graph is then built again and the state
 * carried over.
 *
 * @throws {CaptureError} if the program cannot become a graph; nothing is left behind.
 */
export function openGraph(
  program: GraphProgram,
  backend: Backend,
  { rewrite, copyOp, owner, rehearse, openSession: given }: GraphOptions = {},
): OpenGraph {
  const { binding } = backend;
  if (binding === undefined) throw backendNotNative(backend.name);
  const calls = createRecordedCalls(program, binding, { rewrite, owner, rehearse });
  const stats: GraphStats = {
    compileMs: 0,
    nodes: 0,
    signatures: 0,
    rebuilds: 0,
    runs: 0,
    peak: { call: '', bytes: 0 },
  };
  let loaded: LoadedGraph | undefined;

  const record = (signature: Signature): Recorded => {
    const call = calls.add(signature);
    stats.peak = calls.peak();
    return call;
  };

  const open = given ?? ((model: Uint8Array) => openSession(binding, model));
  const load = (): LoadedGraph => {
    const copies = copyOp !== undefined && calls.canRun(copyOf(copyOp), [FLOAT]);
    const graph = loadGraph(open, calls.all(), program.state, copies ? copyOp : 'DeepCopy');
    Object.assign(stats, { nodes: graph.graph.nodes.length, signatures: calls.all().length });
    return graph;
  };

  const live = (): LoadedGraph => {
    if (loaded === undefined) throw graphDisposed();
    return loaded;
  };

  const timed = <Result>(work: () => Result): Result => {
    const start = performance.now();
    const result = work();
    stats.compileMs += performance.now() - start;
    return result;
  };

  const read = (names: readonly string[] = Object.keys(program.state)): Record<string, Float32Array> => {
    for (const name of names) checkState(program.state, name);
    return live().read(names);
  };

  const write = (values: Readonly<Record<string, Float32Array>>): void => {
    for (const [name, array] of Object.entries(values)) checkState(program.state, name, array);
    live().write(Object.keys(values), (name) => values[name]!);
  };

  const extend = (signature: Signature): Recorded => {
    const before = live();
    const call = record(signature);
    const values = read();
    try {
      loaded = load();
      write(values);
    } catch (error) {
      calls.forget(signature);
      if (loaded !== before) loaded?.dispose();
      loaded = before;
      throw error;
    }
    before.dispose();
    stats.rebuilds++;
    return call;
  };

  timed(() => {
    for (const signature of program.signatures) record(signature);
    loaded = load();
    try {
      loaded.write(Object.keys(program.state), (name) => {
        const { values } = program.state[name]!;
        checkState(program.state, name, values);
        return values;
      });
    } catch (error) {
      loaded.dispose();
      throw error;
    }
    collectGarbage(4 * numbersIn(Object.values(program.state)));
  });

  return {
    stats,
    replacedBy: (signature) => Object.keys(calls.get(signature)?.recording.state ?? program.state),
    macs: calls.macs,
    read,
    write,
    run(wanted, inputs) {
      live();
      const { index, signature } = calls.get(wanted) ?? timed(() => extend(wanted));
      checkFeeds(signature, inputs);
      const outputs = replay(live(), index, signature, inputs);
      stats.runs++;
      return outputs;
    },
    verify() {
      live();
      calls.verify();
    },
    dispose() {
      loaded?.dispose();
      loaded = undefined;
    },
  };
}

const FLOAT: TensorSpec = { shape: [1], dtype: DT.float32 };

const copyOf = (op: string): OpNode => ({
  kind: 'op',
  op,
  attributes: { T: { kind: 'type', value: DT.float32 } },
  inputs: [],
  outputs: [FLOAT],
});

/** Runs one signature of a loaded graph. */
function replay(
  { graph, run }: LoadedGraph,
  index: number,
  { call, inputs: specs }: Signature,
  inputs: Readonly<Record<string, HostArray>>,
): HostOutputs {
  const { feeds, outputs, done } = graph.signatures[index]!;
  const fed = Object.entries(specs).map(([name, { shape }], at) => ({
    name: feeds[at]!,
    shape,
    values: inputs[name]!,
  }));
  const fetched = run(call, fed, outputs.length > 0 ? outputs.map(({ fetch }) => fetch) : [done]);
  return Object.fromEntries(
    outputs.map(({ name, shape }, at) => {
      const { values, shape: got } = fetched[at]!;
      if (String(shape) !== String(got)) throw internal(`output ${name} was recorded as [${shape}], came as [${got}]`);
      return [name, values as Float32Array | Int32Array];
    }),
  );
}
