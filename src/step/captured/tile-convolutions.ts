import { type CanRun, runsInBfloat16 } from './bf16.ts';
import { dropUnused, rebuild } from './prune.ts';
import { type Attribute, DT, type Endpoint, type OpNode, type Recording, specOf } from './recording.ts';

/**
 * Gives convolutions that are to run in bfloat16 to tailmix's own ops on AMX tiles (`native/filter_gradient.h`), which are
 * faster than TensorFlow's: the filter's gradient of 3×3 with stride 1 and zeros around, and of any filter without zeros.
 */
export function toTileConvolutions(recording: Recording, canRun: CanRun): Recording {
  const own = (node: OpNode): OpNode | undefined => {
    const made = node.op === 'Conv2DBackpropFilter' ? filterGradient(recording, node) : undefined;
    return made !== undefined && runsInBfloat16(recording, made, canRun) ? made : undefined;
  };
  return dropUnused(rebuild(recording, (node, _, keep) => keep((node.kind === 'op' ? own(node) : undefined) ?? node)));
}

function filterGradient({ nodes }: Recording, node: OpNode): OpNode | undefined {
  const [x, , dy] = node.inputs as [Endpoint, Endpoint, Endpoint];
  const [size, columns, inputs, outputs] = node.outputs[0]!.shape as [number, number, number, number];
  const stride = strideOf(node);
  if (stride === undefined || size !== columns) return undefined;
  const around = size === 3 && stride === 1;
  const lanes = around ? 16 : 32;
  const results = (side: number): number => (around ? side : Math.floor((side - size) / stride) + 1);
  const [before, after] = [specOf(nodes, x).shape, specOf(nodes, dy).shape];
  const fits = inputs % lanes === 0 && outputs % lanes === 0 && [1, 2].every((i) => after[i] === results(before[i]!));
  if (!fits) return undefined;
  const int = (value: number): Attribute => ({ kind: 'int', value });
  const attributes = { T: { kind: 'type', value: DT.float32 }, size: int(size), stride: int(stride) } as const;
  return { ...node, op: 'TailmixConv2DBackpropFilter', attributes, inputs: [x, dy] };
}

/** Of both axes; nothing where the two differ, where a filter has holes, or zeros of other numbers than its size needs. */
function strideOf({ attributes: { strides, dilations, data_format, padding } }: OpNode): number | undefined {
  const [, rows, columns] = strides!.value as readonly number[];
  const solid = ((dilations?.value ?? []) as readonly number[]).every((value) => value === 1);
  return rows === columns && solid && data_format?.value === 'NHWC' && padding?.value !== 'EXPLICIT' ? rows : undefined;
}
