import { performance } from 'node:perf_hooks';
import type { Backend } from '../../backend/load.ts';
import { internal } from '../../errors.ts';
import { buildGraph, type Graph } from '../../graph/build-graph.ts';
import { checkFeeds } from '../../graph/check.ts';
import { expectSame } from '../../graph/compare.ts';
import { backendNotNative, engineDisposed, runFailed, unknownCall } from '../../graph/errors.ts';
import { foldNorm } from '../../graph/fold-norm.ts';
import { signatureKey } from '../../graph/key.ts';
import { packState } from '../../graph/pack.ts';
import { savedModelBytes } from '../../graph/proto.ts';
import { dropUnused, mergeEqual } from '../../graph/prune.ts';
import { DT, type Recording, type TensorSpec } from '../../graph/recording.ts';
import { type Feed, type Fetched, openSession, type Session } from '../../graph/session.ts';
import { createShapeInference } from '../../graph/shapes.ts';
import { toStandardConvolutions } from '../../graph/standard-convolutions.ts';
import { checkState, readState, type StateAccess, writeState } from '../../graph/state.ts';
import { trace } from '../../graph/trace.ts';
import type { Engine, HostArray, HostOutputs, Signature, StepProgram } from '../types.ts';
import { type CanRun, toBfloat16 } from './bf16.ts';
import { fuseNeighbours } from './fuse.ts';
import { toTileConvolutions } from './tile-convolutions.ts';

/** How a program is captured. */
export interface CaptureOptions {
  /** `bf16`: convolutions and what lies between them in bfloat16; weights, loss and update stay float32. Default `fp32`. */
  precision?: Engine['precision'];
  /** Why not the precision that was asked for. */
  precisionReason?: Engine['precisionReason'];
  /** Who is building right now: a plugin's name. Asked while recording, for error messages. */
  owner?: () => string | undefined;
  /**
   * Called before each of a signature's two recordings. Give every host value that differs between steps (batch, epoch,
   * learning rate …) another value in each: what then differs between the recordings is refused, since a graph would
   * freeze it.
   */
  rehearse?: (recording: 1 | 2, signature: Signature) => void;
}

/** Figures of a captured engine, for logs. */
export interface CaptureStats {
  /** Milliseconds spent recording and loading, all signatures. */
  compileMs: number;
  /** Nodes of the loaded graph. */
  nodes: number;
  /** Signatures in the graph. */
  signatures: number;
  /** How often a signature that was not foreseen made the graph be built again. */
  rebuilds: number;
  /** Calls replayed by TensorFlow's session. */
  runs: number;
}

/** An {@link Engine} that replays a recorded graph. */
export interface CapturedEngine extends Engine {
  readonly mode: 'captured';
  readonly stats: Readonly<CaptureStats>;
}

interface Part {
  signature: Signature;
  /** As it was recorded. */
  recorded: Recording;
  /** What became of it, to be joined with the others. */
  recording: Recording;
  index: number;
}

interface Loaded {
  graph: Graph;
  session: Session;
  access: StateAccess;
}

/**
 * Records every signature of a program, joins them into one TensorFlow graph that holds the state, and replays it.
 *
 * A signature that was not foreseen is recorded at its first call; the graph is then built again and the state carried
 * over.
 *
 * @throws {CaptureError} if the program cannot become a graph; nothing is left behind.
 */
export function createCapturedEngine(
  program: StepProgram,
  backend: Backend,
  { precision = 'fp32', precisionReason = null, owner, rehearse }: CaptureOptions = {},
): CapturedEngine {
  const binding = backend.binding;
  if (binding === undefined) throw backendNotNative(backend.name);
  const shapes = createShapeInference(binding);
  const parts = new Map<string, Part>();
  const stats: CaptureStats = { compileMs: 0, nodes: 0, signatures: 0, rebuilds: 0, runs: 0 };
  let loaded: Loaded | undefined;

  function traced(signature: Signature): Recording {
    const fn = program.functions[signature.call];
    if (fn === undefined) throw unknownCall(signature.call, Object.keys(program.functions));
    return dropUnused(trace(fn, signature, { shapes, state: program.state, owner }));
  }

  function record(signature: Signature): void {
    const key = signatureKey(signature);
    if (parts.has(key)) return;
    rehearse?.(1, signature);
    const first = traced(signature);
    rehearse?.(2, signature);
    expectSame(signature.call, first, traced(signature));
    const half = precision === 'bf16';
    const convolved = half ? toTileConvolutions(toStandardConvolutions(first), canRun) : first;
    const merged = mergeEqual(foldNorm(convolved));
    const recording = fuseNeighbours(half ? toBfloat16(merged, canRun) : merged);
    parts.set(key, { signature, recorded: first, recording, index: parts.size });
  }

  /** Tried once per op: a kernel exists for a type or does not. */
  const runnable = new Map<string, boolean>();
  const canRun: CanRun = ({ op, attributes, outputs }, inputs) => {
    const known = runnable.get(op);
    if (known !== undefined) return known;
    let runs = true;
    try {
      shapes.execute(op, attributes, inputs, outputs.length);
    } catch {
      runs = false;
    }
    runnable.set(op, runs);
    return runs;
  };

  function hasLastingCopy(): boolean {
    const spec: TensorSpec = { shape: [1], dtype: DT.float32 };
    const attributes = { T: { kind: 'type', value: DT.float32 } } as const;
    return canRun({ kind: 'op', op: 'TailmixLastingCopy', attributes, inputs: [], outputs: [spec] }, [spec]);
  }

  function load(): Loaded {
    const list = [...parts.values()];
    const packed = packState(
      list.map(({ recording }) => recording),
      program.state,
    );
    const calls = list.map(({ signature }, index) => ({ signature, recording: packed.recordings[index]! }));
    const graph = buildGraph(calls, packed.variables, hasLastingCopy() ? 'TailmixLastingCopy' : 'DeepCopy');
    const session = openSession(
      binding!,
      savedModelBytes(
        graph,
        list.map(({ signature }) => signature),
      ),
    );
    Object.assign(stats, { nodes: graph.nodes.length, signatures: list.length });
    const access: StateAccess = {
      variables: packed.variables,
      groups: graph.groups,
      run: (what, feeds, fetches, wanted) => execute(what, { session, graph }, feeds, fetches, wanted),
    };
    return { graph, session, access };
  }

  function timed(work: () => void): void {
    const start = performance.now();
    work();
    stats.compileMs += performance.now() - start;
  }

  const live = (): Loaded => {
    if (loaded === undefined) throw engineDisposed();
    return loaded;
  };

  /** TensorFlow names the node that failed; it is looked up to name the op and the plugin. */
  function execute(
    call: string,
    { session, graph }: Pick<Loaded, 'session' | 'graph'>,
    feeds: readonly Feed[],
    fetches: readonly string[],
    wanted?: readonly boolean[],
  ): Fetched[] {
    try {
      return session.run(feeds, fetches, wanted);
    } catch (error) {
      const name = /\{\{node ([^}]+)\}\}/.exec(String(error))?.[1];
      const node = graph.nodes.find((candidate) => candidate.name === name);
      throw runFailed({ call, owner: node?.owner }, node?.op, error);
    }
  }

  function read(names: readonly string[] = Object.keys(program.state)): Record<string, Float32Array> {
    const { access } = live();
    for (const name of names) checkState(program.state, name);
    return readState(access, names);
  }

  function write(values: Readonly<Record<string, Float32Array>>): void {
    const { access } = live();
    for (const [name, array] of Object.entries(values)) checkState(program.state, name, array);
    writeState(access, Object.keys(values), (name) => values[name]!);
  }

  function extend(signature: Signature): void {
    timed(() => {
      const before = live();
      record(signature);
      const values = read();
      try {
        loaded = load();
        write(values);
      } catch (error) {
        parts.delete(signatureKey(signature));
        if (loaded !== before) loaded?.session.dispose();
        loaded = before;
        throw error;
      }
      before.session.dispose();
    });
    stats.rebuilds++;
  }

  timed(() => {
    for (const signature of program.signatures) record(signature);
    loaded = load();
    try {
      writeState(loaded.access, Object.keys(program.state), (name) => {
        const { values } = program.state[name]!;
        checkState(program.state, name, values);
        return values;
      });
    } catch (error) {
      loaded.session.dispose();
      throw error;
    }
  });

  return {
    mode: 'captured',
    reason: null,
    precision,
    precisionReason,
    get compileMs() {
      return stats.compileMs;
    },
    stats,
    read,
    write,
    run(signature: Signature, inputs: Readonly<Record<string, HostArray>>): HostOutputs {
      live();
      const key = signatureKey(signature);
      if (!parts.has(key)) extend(signature);
      const { index, signature: known } = parts.get(key)!;
      checkFeeds(known, inputs);
      const current = live();
      const { feeds, outputs, done } = current.graph.signatures[index]!;
      const fed = Object.entries(known.inputs).map(([name, { shape }], at) => ({
        name: feeds[at]!,
        shape,
        values: inputs[name]!,
      }));
      const fetches = outputs.length > 0 ? outputs.map(({ fetch }) => fetch) : [done];
      const fetched = execute(signature.call, current, fed, fetches);
      stats.runs++;
      return Object.fromEntries(
        outputs.map(({ name, shape }, at) => {
          const { values, shape: got } = fetched[at]!;
          if (String(shape) !== String(got))
            throw internal(`output ${name} was recorded as [${shape}], came as [${got}]`);
          return [name, values as Float32Array | Int32Array];
        }),
      );
    },
    verify() {
      live();
      for (const { signature, recorded } of parts.values()) expectSame(signature.call, recorded, traced(signature));
    },
    dispose() {
      loaded?.session.dispose();
      loaded = undefined;
    },
  };
}
