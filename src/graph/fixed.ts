import { dropUnused, mergeEqual, rebuild } from './prune.ts';
import { type Endpoint, type RecordedNode, type Recording, specOf, type TensorSpec } from './recording.ts';

/** Recordings that read what was computed from fixed state, and what computes it. */
export interface Prepared {
  recordings: readonly Recording[];
  /** Its `state` is what the recordings read, by names that begin with `fixed/`; undefined where there is nothing. */
  preparation: Recording | undefined;
}

/** Ops without memory of their own whose result is computed from their inputs alone. */
const PURE = new Set(['Add', 'AddV2', 'Cast', 'Mul', 'RealDiv', 'Rsqrt', 'Sub', 'Transpose']);

/** Pure ops whose result is their input's memory: of no use on their own. */
const ALIASES = new Set(['ExpandDims', 'Identity', 'Reshape', 'Squeeze']);

/**
 * Moves out of calls what depends on nothing but constants and state that no call replaces: weights that a frozen batch norm
 * is folded into, weights cast to bfloat16. It is computed once after the state was written, instead of in each call, where it
 * would also be held in memory next to the activations, since TensorFlow begins with all that is ready.
 *
 * @param recordings - all that a graph has: of state, what none of them replaces is fixed
 */
export function hoistFixed(recordings: readonly Recording[]): Prepared {
  const replaced = new Set(recordings.flatMap(({ state }) => Object.keys(state)));
  const nodes: RecordedNode[] = [];
  const wanted: Record<string, Endpoint> = {};
  const nameOf = recordings.map((recording, call) => {
    const first = nodes.length;
    const move = ({ node, output }: Endpoint): Endpoint => ({ node: node + first, output });
    nodes.push(
      ...recording.nodes.map((node) => (node.kind === 'op' ? { ...node, inputs: node.inputs.map(move) } : node)),
    );
    const names = new Map([...resultsOf(recording, replaced)].map((node) => [node, `fixed/${call}/${node}`]));
    for (const [node, name] of names) wanted[name] = move({ node, output: 0 });
    return names;
  });
  if (Object.keys(wanted).length === 0) return { recordings, preparation: undefined };
  const all = mergeEqual(dropUnused({ nodes, outputs: {}, state: wanted }));
  const { state, same } = oneOfEach(all.state);
  const reading = recordings.map((recording, call) =>
    dropUnused(
      rebuild(recording, (node, index, keep) => {
        const name = nameOf[call]!.get(index);
        return keep(name === undefined ? node : { kind: 'state', name: same.get(name)!, outputs: node.outputs });
      }),
    ),
  );
  return { recordings: reading, preparation: withoutInputs({ ...all, state }) };
}

/** Type and shape of what a preparation makes, by name. */
export const preparedSpecs = ({ nodes, state }: Recording): Record<string, TensorSpec> =>
  Object.fromEntries(Object.entries(state).map(([name, from]) => [name, specOf(nodes, from)]));

/** Nodes that are computed from fixed state, and that others use. */
function resultsOf({ nodes, outputs, state }: Recording, replaced: ReadonlySet<string>): ReadonlySet<number> {
  /** Of fixed nodes: whether computing them is work. */
  const fixed = new Map<number, boolean>();
  const results = new Set<number>();
  const use = ({ node }: Endpoint): void => {
    if (fixed.get(node)) results.add(node);
  };
  for (const [index, node] of nodes.entries()) {
    if (node.kind === 'state' && !replaced.has(node.name)) fixed.set(index, false);
    if (node.kind !== 'op') continue;
    const isOf = node.inputs.some((from) => fixed.has(from.node));
    const isPure = (PURE.has(node.op) || ALIASES.has(node.op)) && isOf;
    if (isPure && node.inputs.every((from) => fixed.has(from.node) || nodes[from.node]!.kind === 'constant'))
      fixed.set(index, PURE.has(node.op) || node.inputs.some((from) => fixed.get(from.node) === true));
    else node.inputs.forEach(use);
  }
  for (const from of [...Object.values(outputs), ...Object.values(state)]) use(from);
  return results;
}

/** One name for each value, and which one of them each name became. */
function oneOfEach(state: Recording['state']): { state: Record<string, Endpoint>; same: Map<string, string> } {
  const first = new Map<number, string>();
  const same = new Map<string, string>();
  for (const [name, { node }] of Object.entries(state)) {
    if (!first.has(node)) first.set(node, name);
    same.set(name, first.get(node)!);
  }
  return { state: Object.fromEntries([...first].map(([node, name]) => [name, { node, output: 0 }])), same };
}

/** `dropUnused` keeps the inputs of a call; a preparation has none. */
function withoutInputs(recording: Recording): Recording {
  return rebuild(recording, (node, _, keep) => (node.kind === 'input' ? -1 : keep(node)));
}
