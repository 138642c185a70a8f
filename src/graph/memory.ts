import { sizeOf } from '../util/shape.ts';
import { DT, type RecordedNode, type Recording } from './recording.ts';

/** Bytes of an element; 4 for what is not listed. */
const BYTES: Readonly<Record<number, number>> = {
  [DT.uint8]: 1,
  [DT.bool]: 1,
  [DT.bfloat16]: 2,
  [DT.int64]: 8,
  [DT.complex64]: 8,
};

/** Ops whose output is their input's memory. */
const ALIASES: ReadonlySet<string> = new Set(['Reshape', 'Identity', 'ExpandDims', 'Squeeze', 'StopGradient']);

/**
 * Bytes that a call holds at most: each output from the node that makes it to the last one that uses it, in the order of
 * the recording; state, inputs and constants throughout. TensorFlow may order nodes otherwise, write over inputs, and
 * takes room for convolutions in addition.
 */
export function peakBytes({ nodes, outputs, state }: Recording): number {
  const owner = nodes.map((node, i) => (node.kind === 'op' && ALIASES.has(node.op) ? -1 : i));
  for (const [i, node] of nodes.entries())
    if (owner[i] === -1 && node.kind === 'op') owner[i] = owner[node.inputs[0]!.node]!;
  const last = nodes.map((_, i) => i);
  const use = (from: number, at: number): void => {
    last[owner[from]!] = Math.max(last[owner[from]!]!, at);
  };
  for (const [i, node] of nodes.entries())
    if (node.kind === 'op') for (const { node: from } of node.inputs) use(from, i);
  for (const { node } of [...Object.values(outputs), ...Object.values(state)]) use(node, nodes.length);
  const ending = new Map<number, number>();
  for (const [i, end] of last.entries())
    if (owner[i] === i && nodes[i]!.kind === 'op') ending.set(end, (ending.get(end) ?? 0) + bytesOf(nodes[i]!));
  let now = nodes.reduce((sum, node) => sum + (node.kind === 'op' ? 0 : bytesOf(node)), 0);
  let peak = now;
  for (const [i, node] of nodes.entries()) {
    if (node.kind === 'op' && owner[i] === i) now += bytesOf(node);
    peak = Math.max(peak, now);
    now -= ending.get(i) ?? 0;
  }
  return peak;
}

const bytesOf = ({ outputs }: RecordedNode): number =>
  outputs.reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * (BYTES[dtype] ?? 4), 0);
