import { type Endpoint, type OpNode, type RecordedNode, type Recording, specOf } from '../../graph/index.ts';
import { mapValues } from '../../util/map-values.ts';

/**
 * Gives tailmix's own batch norm and convolution, which can do so in one pass over memory, what stands around them:
 * forward the sum with a residual branch and ReLU, backward (batch norm) the sum of two gradients and ReLU's gradient.
 * The numbers stay the same to the bit in float32; in bfloat16 less is rounded.
 */
export function fuseNeighbours(recording: Recording): Recording {
  const uses = usesOf(recording);
  const forward = forwardFusions(recording, uses);
  const fused = new Map([...forward, ...backwardFusions(recording, uses, forward)]);
  const gone = new Set([...fused.values()].flatMap(({ absorbs }) => absorbs));
  const nodes: RecordedNode[] = [];
  const moved = new Map<string, Endpoint>();
  const now = ({ node, output }: Endpoint): Endpoint => moved.get(keyOf({ node, output }))!;
  for (const [index, node] of recording.nodes.entries()) {
    if (gone.has(index)) continue;
    const fusion = fused.get(index);
    const next = fusion?.node ?? node;
    const at = nodes.push(next.kind === 'op' ? { ...next, inputs: next.inputs.map(now) } : next) - 1;
    for (let output = 0; output < next.outputs.length; output++) {
      const before = fusion === undefined ? { node: index, output } : fusion.outputs[output]!;
      moved.set(keyOf(before), { node: at, output });
    }
  }
  return { nodes, outputs: mapValues(recording.outputs, now), state: mapValues(recording.state, now) };
}

/** What takes the place of one node. */
interface Fusion {
  /** The new node; its inputs are endpoints of the recording as it was. */
  node: OpNode;
  /** For each output of the new node, the one that it replaces. */
  outputs: readonly Endpoint[];
  /** Nodes that are no longer needed. */
  absorbs: readonly number[];
}

type Fusions = Map<number, Fusion>;

/** Nodes that use each output; results of the call are used by node −1. */
type Uses = (from: Endpoint) => readonly number[];

const keyOf = ({ node, output }: Endpoint): string => `${node}:${output}`;
const isSame = (a: Endpoint, b: Endpoint): boolean => a.node === b.node && a.output === b.output;

function usesOf({ nodes, outputs, state }: Recording): Uses {
  const uses = new Map<string, number[]>();
  const use = (from: Endpoint, by: number): void => {
    const list = uses.get(keyOf(from));
    if (list === undefined) uses.set(keyOf(from), [by]);
    else list.push(by);
  };
  for (const [index, node] of nodes.entries()) if (node.kind === 'op') for (const from of node.inputs) use(from, index);
  for (const from of [...Object.values(outputs), ...Object.values(state)]) use(from, -1);
  return (from) => uses.get(keyOf(from)) ?? [];
}

const opAt = ({ nodes }: Recording, index: number | undefined, ...ops: string[]): OpNode | undefined => {
  const node = index === undefined ? undefined : nodes[index];
  return node?.kind === 'op' && ops.includes(node.op) ? node : undefined;
};

/** The two terms of a sum of equal shapes and types. */
function termsOf({ nodes }: Recording, sum: OpNode): readonly [Endpoint, Endpoint] | undefined {
  const [a, b] = sum.inputs as [Endpoint, Endpoint];
  const [left, right] = [specOf(nodes, a), specOf(nodes, b)];
  return left.dtype === right.dtype && String(left.shape) === String(right.shape) ? [a, b] : undefined;
}

/** `relu(f(x))` and `relu(f(x) + residual)` of batch norm or convolution, at the place of the ReLU. */
function forwardFusions(recording: Recording, uses: Uses): Fusions {
  const fusions: Fusions = new Map();
  for (const index of recording.nodes.keys()) {
    const own = opAt(recording, index, 'TailmixBatchNorm', 'TailmixConv2D');
    if (own === undefined) continue;
    const [user, ...others] = uses({ node: index, output: 0 });
    if (others.length > 0) continue;
    const sum = opAt(recording, user, 'Add', 'AddV2');
    const [end, ...more] = sum === undefined ? [user] : uses({ node: user!, output: 0 });
    if (more.length > 0 || opAt(recording, end, 'Relu') === undefined || fusions.has(end!)) continue;
    const residual = sum && termsOf(recording, sum)?.find(({ node }) => node !== index);
    if (sum !== undefined && residual === undefined) continue;
    const statistics = own.outputs.slice(1).map((_, i) => ({ node: index, output: i + 1 }));
    if (statistics.some((from) => uses(from).some((by) => by >= 0 && by < end!))) continue;
    fusions.set(end!, {
      node: {
        ...own,
        attributes: {
          ...own.attributes,
          residuals: { kind: 'int', value: residual === undefined ? 0 : 1 },
          relu: { kind: 'bool', value: true },
        },
        inputs: residual === undefined ? own.inputs : [...own.inputs, residual],
      },
      outputs: [{ node: end!, output: 0 }, ...statistics],
      absorbs: sum === undefined ? [index] : [index, user!],
    });
  }
  return fusions;
}

/** The gradient of a norm after that of a ReLU, at the place of the latter. */
function backwardFusions(recording: Recording, uses: Uses, forward: Fusions): Fusions {
  const fusions: Fusions = new Map();
  for (const index of recording.nodes.keys()) {
    const rectified = opAt(recording, index, 'ReluGrad');
    if (rectified === undefined) continue;
    const cut: Endpoint = { node: index, output: 0 };
    const users = uses(cut);
    const at = users.find((user) => isSame(opAt(recording, user, 'TailmixBatchNormGrad')?.inputs[0] ?? NOWHERE, cut));
    if (at === undefined) continue;
    const norm = recording.nodes[at] as OpNode;
    const [, x, ...vectors] = norm.inputs as [Endpoint, Endpoint, ...Endpoint[]];
    if ([x, ...vectors].some((from) => from.node > index)) continue;
    const [dy, y] = rectified.inputs as [Endpoint, Endpoint];
    const sum = uses(dy).length === 1 ? opAt(recording, dy.node, 'Add', 'AddV2') : undefined;
    const summands = (sum && termsOf(recording, sum)) ?? [dy];
    const inside = forward.get(y.node)?.node;
    const isOwn =
      inside?.inputs.length === 5 && [x, ...vectors.slice(0, 2)].every((from, i) => isSame(from, inside.inputs[i]!));
    const kept = users.length > 1;
    fusions.set(index, {
      node: {
        ...norm,
        attributes: {
          ...norm.attributes,
          summands: { kind: 'int', value: summands.length },
          outputs: { kind: 'int', value: isOwn ? 0 : 1 },
          kept: { kind: 'int', value: kept ? 1 : 0 },
          relu: { kind: 'bool', value: true },
        },
        inputs: [...summands, x, ...(isOwn ? [] : [y]), ...vectors],
        outputs: kept ? [...norm.outputs, rectified.outputs[0]!] : norm.outputs,
      },
      outputs: [...norm.outputs.map((_, output) => ({ node: at, output })), cut],
      absorbs: summands.length > 1 ? [at, dy.node] : [at],
    });
  }
  return fusions;
}

const NOWHERE: Endpoint = { node: -1, output: 0 };
