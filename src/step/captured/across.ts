import { GROUP } from '../../cluster/protocol.ts';
import {
  type Attribute,
  DT,
  type Endpoint,
  type OpNode,
  type RecordedNode,
  type Recording,
} from '../../graph/index.ts';
import { mapValues } from '../../util/map-values.ts';
import { ACROSS } from '../across.ts';

/**
 * Replaces what stands for vectors of all replicas by these vectors: those of the replicas of this process are packed, and in a
 * cluster gathered from all processes. A replica then needs what later ones compute, so nodes are put in order again.
 */
export function joinReplicas(recording: Recording): Recording {
  const { nodes } = recording;
  const groups = new Map<number, OpNode[]>();
  for (const node of nodes) if (isAcross(node)) groups.set(keyOf(node), [...(groups.get(keyOf(node)) ?? []), node]);
  if (groups.size === 0) return recording;

  const ordered: RecordedNode[] = [];
  const add = (node: RecordedNode): Endpoint => ({ node: ordered.push(node) - 1, output: 0 });
  const placed = new Map<number, number>();
  const joined = new Map<number, number>();
  const placeOf = (index: number): number | undefined => {
    const node = nodes[index]!;
    return isAcross(node) ? joined.get(keyOf(node)) : placed.get(index);
  };
  const renumber = ({ node, output }: Endpoint): Endpoint => ({ node: placeOf(node)!, output });
  for (const first of nodes.keys()) {
    const waiting = [first];
    while (waiting.length > 0) {
      const index = waiting.at(-1)!;
      const node = nodes[index]!;
      const stands = isAcross(node) ? node : null;
      const inputs = stands ? groups.get(keyOf(stands))!.flatMap((one) => one.inputs) : inputsOf(node);
      const missing = placeOf(index) === undefined ? inputs.filter((input) => placeOf(input.node) === undefined) : [];
      if (missing.length > 0) {
        waiting.push(...missing.map((input) => input.node));
        continue;
      }
      waiting.pop();
      if (placeOf(index) !== undefined) continue;
      const given = inputs.map(renumber);
      if (stands) joined.set(keyOf(stands), join(stands, given, add).node);
      else placed.set(index, add(node.kind === 'op' ? { ...node, inputs: given } : node).node);
    }
  }
  return {
    nodes: ordered,
    outputs: mapValues(recording.outputs, renumber),
    state: mapValues(recording.state, renumber),
  };
}

const isAcross = (node: RecordedNode): node is OpNode => node.kind === 'op' && node.op === ACROSS;
const keyOf = ({ attributes }: OpNode): number => attributes.key!.value as number;
const inputsOf = (node: RecordedNode): readonly Endpoint[] => (node.kind === 'op' ? node.inputs : []);

/** Beyond the keys of sums (see `keyOf` in all-reduce.ts): one for each length and call. */
const instanceKey = (length: number, key: number): number => 2 ** 30 + length * 2048 + key;

/** `[replicas, n]`, from the vectors `[n]` of this process's replicas. */
function join(node: OpNode, own: readonly Endpoint[], add: (node: RecordedNode) => Endpoint): Endpoint {
  const [{ shape, dtype }] = node.outputs as [OpNode['outputs'][0]];
  const [replicas, length] = shape as [number, number];
  const T: Attribute = { kind: 'type', value: dtype };
  const packed = add({
    kind: 'op',
    op: 'Pack',
    attributes: { T, N: { kind: 'int', value: own.length }, axis: { kind: 'int', value: 0 } },
    inputs: own,
    outputs: [{ shape: [own.length, length], dtype }],
  });
  if (own.length === replicas) return packed;
  const keys = [replicas / own.length, GROUP, instanceKey(length, keyOf(node))].map((value) =>
    add({
      kind: 'constant',
      outputs: [{ shape: [], dtype: DT.int32 }],
      value: new Uint8Array(Int32Array.of(value).buffer),
    }),
  );
  return add({
    kind: 'op',
    op: 'CollectiveGatherV2',
    attributes: {
      T,
      communication_hint: { kind: 'string', value: 'ring' },
      Nordering_token: { kind: 'int', value: 0 },
    },
    inputs: [packed, ...keys],
    outputs: [{ shape, dtype }],
  });
}
