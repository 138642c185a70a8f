import { mapValues } from '../util/map-values.ts';
import { type Endpoint, type OpNode, type RecordedNode, type Recording, specOf } from './recording.ts';

/** Constants up to this size are merged when equal. */
const MERGED_BYTES = 4096;

/** Drops nodes that no result depends on (inputs stay). */
export function dropUnused(recording: Recording): Recording {
  const used = new Set<number>();
  const wanted = [...Object.values(recording.outputs), ...Object.values(recording.state)].map(({ node }) => node);
  while (wanted.length > 0) {
    const index = wanted.pop()!;
    if (used.has(index)) continue;
    used.add(index);
    const node = recording.nodes[index]!;
    if (node.kind === 'op') for (const input of node.inputs) wanted.push(input.node);
  }
  return rebuild(recording, (node, index, keep) => (node.kind === 'input' || used.has(index) ? keep(node) : -1));
}

/** Computes equal nodes once (same op, attributes and inputs, the same state or constant), and idle ones never. */
export function mergeEqual(recording: Recording): Recording {
  const seen = new Map<string, number>();
  return rebuild(recording, (node, _, keep, kept) => {
    if (isIdle(node, kept)) return node.inputs[0]!.node;
    const key = keyOf(node);
    if (key === null) return keep(node);
    const before = seen.get(key);
    if (before !== undefined) return before;
    const index = keep(node);
    seen.set(key, index);
    return index;
  });
}

/** tfjs casts pooled tensors to the type that they have, and reshapes gradients to the shape that they have. */
function isIdle(node: RecordedNode, nodes: readonly RecordedNode[]): node is OpNode {
  if (node.kind !== 'op' || (node.op !== 'Cast' && node.op !== 'Reshape') || node.inputs[0]!.output !== 0) return false;
  const [before, after] = [specOf(nodes, node.inputs[0]!), node.outputs[0]!];
  return before.dtype === after.dtype && String(before.shape) === String(after.shape);
}

function keyOf(node: RecordedNode): string | null {
  if (node.kind === 'op') return JSON.stringify([node.op, node.attributes, node.inputs]);
  if (node.kind === 'state') return JSON.stringify(node.name);
  if (node.kind !== 'constant' || !(node.value instanceof Uint8Array) || node.value.length > MERGED_BYTES) return null;
  return JSON.stringify([node.outputs, Buffer.from(node.value).toString('latin1')]);
}

/** Maps nodes one by one, inputs renumbered; `map` returns the new index, or −1 for a node that is gone. */
export function rebuild(
  recording: Recording,
  map: (
    node: RecordedNode,
    index: number,
    keep: (node: RecordedNode) => number,
    kept: readonly RecordedNode[],
  ) => number,
): Recording {
  const nodes: RecordedNode[] = [];
  const indices: number[] = [];
  const renumber = ({ node, output }: Endpoint): Endpoint => ({ node: indices[node]!, output });
  const keep = (node: RecordedNode): number => nodes.push(node) - 1;
  for (const [index, node] of recording.nodes.entries()) {
    const moved = node.kind === 'op' && node.inputs.every((input) => indices[input.node]! >= 0);
    indices.push(map(moved ? { ...node, inputs: node.inputs.map(renumber) } : node, index, keep, nodes));
  }
  return { nodes, outputs: mapValues(recording.outputs, renumber), state: mapValues(recording.state, renumber) };
}
