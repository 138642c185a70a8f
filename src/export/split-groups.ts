import { type ConstantNode, DT, type Endpoint, type OpNode, type Recording, rebuild, specOf } from '../graph/index.ts';
import { bytesOf, valuesOf } from './fold-constants.ts';

const CHANNELS = 3;

/** A convolution for each group of channels, where TensorFlow has one for all of them: tfjs takes no groups. */
export const splitGroups = (recording: Recording): Recording =>
  rebuild(recording, (node, _, keep, kept) => {
    const filter = node.kind === 'op' && node.op === 'Conv2D' ? kept[node.inputs[1]!.node]! : undefined;
    if (filter?.kind !== 'constant') return keep(node);
    const { inputs, outputs, attributes, owner } = node as OpNode;
    const [x] = inputs as [Endpoint];
    const spec = specOf(kept, x);
    const channels = filter.outputs[0]!.shape[2]!;
    const groups = spec.shape[CHANNELS]! / channels;
    if (groups === 1) return keep(node);
    const last = (of: readonly number[], length: number): number[] => [...of.slice(0, CHANNELS), length];
    const made = (op: string, own: OpNode['attributes'], from: Endpoint[], shapes: number[][]): number =>
      keep({
        kind: 'op',
        op,
        attributes: { T: attributes.T!, ...own },
        inputs: from,
        outputs: shapes.map((shape) => ({ shape, dtype: spec.dtype })),
        ...(owner === undefined ? {} : { owner }),
      });
    const axis = { node: keep(scalar(CHANNELS)), output: 0 };
    const parts = made(
      'Split',
      { num_split: { kind: 'int', value: groups } },
      [axis, x],
      Array.from({ length: groups }, () => last(spec.shape, channels)),
    );
    const shape = outputs[0]!.shape;
    const results = filtersOf(filter, groups).map((own, output): Endpoint => {
      const convolved = [
        { node: parts, output },
        { node: keep(own), output: 0 },
      ];
      return { node: made('Conv2D', attributes, convolved, [last(shape, shape[CHANNELS]! / groups)]), output: 0 };
    });
    const joined = { N: { kind: 'int', value: groups }, Tidx: { kind: 'type', value: DT.int32 } } as const;
    return made('ConcatV2', joined, [...results, axis], [[...shape]]);
  });

const scalar = (value: number): ConstantNode => ({
  kind: 'constant',
  outputs: [{ shape: [], dtype: DT.int32 }],
  value: bytesOf(Int32Array.of(value)),
});

/** The filters of each group: equal shares of the last axis. */
function filtersOf(filter: ConstantNode, groups: number): ConstantNode[] {
  const { shape, dtype } = filter.outputs[0]!;
  const values = valuesOf(filter);
  const [all, own] = [shape[CHANNELS]!, shape[CHANNELS]! / groups];
  return Array.from(
    { length: groups },
    (_, group): ConstantNode => ({
      kind: 'constant',
      outputs: [{ shape: [...shape.slice(0, CHANNELS), own], dtype }],
      value: bytesOf(values.filter((_, i) => Math.floor((i % all) / own) === group)),
    }),
  );
}
