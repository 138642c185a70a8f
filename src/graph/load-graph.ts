import { buildGraph, type Graph } from './build-graph.ts';
import { runFailed } from './errors.ts';
import { hoistFixed } from './fixed.ts';
import { packState } from './pack.ts';
import { savedModelBytes } from './proto.ts';
import type { Recording } from './recording.ts';
import type { Feed, Fetched, Session } from './session.ts';
import { readState, type StateAccess, writeState } from './state.ts';
import type { GraphProgram, Signature } from './types.ts';

/** A signature and what was recorded of it. */
export interface RecordedCall {
  signature: Signature;
  recording: Recording;
}

/** A graph in a session of TensorFlow, with the state that its signatures share. */
export interface LoadedGraph {
  graph: Graph;
  /**
   * Feeds, runs and fetches.
   *
   * @throws {CaptureError} CAPTURE_RUN, naming the op that failed and its owner.
   */
  run(call: string, feeds: readonly Feed[], fetches: readonly string[], wanted?: readonly boolean[]): Fetched[];
  /** Copies state out by name. */
  read(names: readonly string[]): Record<string, Float32Array>;
  /** Replaces state by name; `valuesOf` is called for each name when its turn has come. */
  write(names: readonly string[], valuesOf: (name: string) => Float32Array): void;
  dispose(): void;
}

/**
 * Joins recordings into one graph over shared variables and loads it.
 *
 * @param open - gives the bytes of a `saved_model.pb` to TensorFlow
 * @param copyOp - op that copies what the host writes: TensorFlow's `DeepCopy`, or a custom op that takes its place.
 * @throws {CaptureError} CAPTURE_LOAD, CAPTURE_SIZE.
 */
export function loadGraph(
  open: (model: Uint8Array) => Session,
  calls: readonly RecordedCall[],
  state: GraphProgram['state'],
  copyOp: string,
): LoadedGraph {
  const { recordings: packed, variables } = packState(
    calls.map(({ recording }) => recording),
    state,
  );
  const { recordings, preparation } = hoistFixed(packed);
  const graph = buildGraph(
    calls.map(({ signature }, index) => ({ signature, recording: recordings[index]! })),
    variables,
    copyOp,
    preparation,
  );
  const session = open(
    savedModelBytes(
      graph,
      calls.map(({ signature }) => signature),
    ),
  );
  const runAny: LoadedGraph['run'] = (call, feeds, fetches, wanted) => {
    try {
      return session.run(feeds, fetches, wanted);
    } catch (error) {
      // TensorFlow names the node that failed.
      const name = /\{\{node ([^}]+)\}\}/.exec(String(error))?.[1];
      const node = graph.nodes.find((candidate) => candidate.name === name);
      throw runFailed({ call, owner: node?.owner }, node?.op, error);
    }
  };
  const access: StateAccess = { variables, groups: graph.groups, run: runAny };
  let isPrepared = graph.prepared === undefined;
  return {
    graph,
    run(...call) {
      if (!isPrepared) runAny('prepare', [], [graph.prepared!]);
      isPrepared = true;
      return runAny(...call);
    },
    read: (names) => readState(access, names),
    write(names, valuesOf) {
      isPrepared = graph.prepared === undefined;
      writeState(access, names, valuesOf);
    },
    dispose: () => session.dispose(),
  };
}
