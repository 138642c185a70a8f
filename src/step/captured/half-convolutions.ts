import { cpuFeatures } from '../../backend/cpu.ts';
import { hasEnoughTiles } from '../../backend/kernels/custom-ops.ts';
import {
  type Attribute,
  DT,
  dropUnused,
  type Endpoint,
  type OpNode,
  type OpTrial,
  type Recording,
  rebuild,
  specOf,
} from '../../graph/index.ts';
import { sizeOf } from '../../util/shape.ts';
import { runsInBfloat16 } from './bf16.ts';

/**
 * Gives convolutions that are to run in bfloat16 to tailmix's custom ops where these are faster than TensorFlow's:
 *
 * - the filter's gradient of 3×3 with stride 1 and zeros around, and of any filter without zeros (`native/filter_gradient.h`);
 * - 3×3 with stride 1 and zeros around, forward and the input's gradient: on AMX tiles where the filter is larger than a
 *   processor's second cache (`native/tile_convolution.h`), without AMX by minimal filtering in float32 (`native/convolution.h`).
 *
 * @param tiles - whether the processor has AMX
 */
export function toHalfConvolutions(
  recording: Recording,
  canRun: OpTrial,
  tiles = cpuFeatures()?.amx_bf16 === true,
): Recording {
  const custom = (node: OpNode): OpNode | undefined => {
    const made = CUSTOM[node.op]?.(node, (from) => specOf(recording.nodes, from).shape, tiles);
    return made !== undefined && runsInBfloat16(recording, made, canRun) ? made : undefined;
  };
  return dropUnused(
    rebuild(recording, (node, _, keep) => keep((node.kind === 'op' ? custom(node) : undefined) ?? node)),
  );
}

type Make = (node: OpNode, shapeOf: (from: Endpoint) => readonly number[], tiles: boolean) => OpNode | undefined;

/** The custom op in place of TensorFlow's, where it suits. */
const CUSTOM: Readonly<Record<string, Make>> = {
  Conv2D: (node, shapeOf, tiles) => {
    const [x, filter] = node.inputs as [Endpoint, Endpoint];
    if (!suits(node, shapeOf(filter), shapeOf(x), node.outputs[0]!.shape, tiles && [256, 32])) return undefined;
    const attributes = { T: FLOAT, biases: int(0), residuals: int(0) };
    return { ...node, op: 'TailmixConv2D', attributes, inputs: [x, filter] };
  },
  Conv2DBackpropInput: (node, shapeOf, tiles) => {
    const [, filter, dy] = node.inputs as [Endpoint, Endpoint, Endpoint];
    if (!suits(node, shapeOf(filter), node.outputs[0]!.shape, shapeOf(dy), tiles && [32, 256])) return undefined;
    return { ...node, op: 'TailmixConv2DBackpropInput', attributes: { T: FLOAT }, inputs: [filter, dy] };
  },
  Conv2DBackpropFilter: (node, shapeOf, tiles) => {
    const [x, , dy] = node.inputs as [Endpoint, Endpoint, Endpoint];
    const filter = node.outputs[0]!.shape;
    const stride = strideOf(node);
    const around = isPadded(filter, stride);
    const lanes: [number, number] = around ? [16, 16] : [32, 32];
    if (around && !tiles && !hasEnoughTiles(shapeOf(x), filter)) return undefined;
    if (stride === undefined || !fits(filter, stride, shapeOf(x), shapeOf(dy), lanes)) return undefined;
    const attributes = { T: FLOAT, size: int(filter[0]!), stride: int(stride) };
    return { ...node, op: 'TailmixConv2DBackpropFilter', attributes, inputs: [x, dy] };
  },
};

/** Elements of a filter that, in bfloat16, is larger than the second cache of a processor with AMX, 2 MiB. */
const LARGE = 2 ** 20;

/**
 * Whether a 3×3 convolution is faster in the custom op. `lanes`: of AMX, or `false` for minimal filtering, whose filters are four
 * times as large once they are transformed: beyond 256 × 256 they need a thousand pixels.
 */
function suits(
  node: OpNode,
  filter: readonly number[],
  x: readonly number[],
  y: readonly number[],
  lanes: [number, number] | false,
): boolean {
  const stride = strideOf(node);
  if (!isPadded(filter, stride) || !fits(filter, stride!, x, y, lanes || [16, 16])) return false;
  if (lanes) return sizeOf(filter) > LARGE;
  return hasEnoughTiles(x, filter) && (sizeOf(filter) <= 9 * 256 ** 2 || sizeOf(x.slice(0, 3)) >= 1024);
}

/** Whether zeros stand around the images, one row and column of them. */
const isPadded = ([size, columns]: readonly number[], stride: number | undefined): boolean =>
  size === 3 && columns === 3 && stride === 1;

/** Whether a filter's channels come in the wanted multiples and in one group, and images have the size that the custom op computes. */
function fits(
  filter: readonly number[],
  stride: number,
  x: readonly number[],
  y: readonly number[],
  lanes: readonly [number, number],
): boolean {
  const [size, columns, ...channels] = filter as [number, number, number, number];
  const results = (side: number): number => (isPadded(filter, stride) ? side : Math.floor((side - size) / stride) + 1);
  const whole = channels[0] === x[3] && channels.every((count, i) => count % lanes[i]! === 0);
  return size === columns && whole && [1, 2].every((axis) => y[axis] === results(x[axis]!));
}

/** Of both axes; nothing where the two differ, where a filter has holes, or where padding is counted out. */
function strideOf({ attributes: { strides, dilations, data_format, padding } }: OpNode): number | undefined {
  const [, rows, columns] = strides!.value as readonly number[];
  const solid = ((dilations?.value ?? []) as readonly number[]).every((value) => value === 1);
  return rows === columns && solid && data_format?.value === 'NHWC' && padding?.value !== 'EXPLICIT' ? rows : undefined;
}

const FLOAT: Attribute = { kind: 'type', value: DT.float32 };
const int = (value: number): Attribute => ({ kind: 'int', value });
