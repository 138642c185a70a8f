import {
  type ConstantNode,
  DT,
  type OpNode,
  type RecordedNode,
  type Recording,
  type TensorSpec,
} from '../graph/index.ts';
import { sizeOf } from '../util/shape.ts';
import { type Builder, createBuilder, type Value } from './builder.ts';
import { notLowered } from './errors.ts';
import type { OpCall } from './op-call.ts';
import { lowerings } from './ops/index.ts';
import { moduleText, type Sharding } from './sharding.ts';
import { elementType, tensorType } from './types.ts';

/** A recording as a program for a device. */
export interface LoweredProgram {
  /** A module of StableHLO, as text. */
  text: string;
  /** Parameters in order: state first, then inputs. */
  parameters: readonly {
    kind: 'state' | 'input';
    name: string;
    spec: TensorSpec;
    /** Of several devices each has a part of its rows. */
    split: boolean;
  }[];
  /** Names of the state that it replaces: its first results. */
  nextState: readonly string[];
  /** The rest of its results. */
  outputs: readonly { name: string; spec: TensorSpec }[];
  /** Op and plugin behind a line of the text, counted from 1. */
  originOf(line: number): { op?: string; owner?: string };
}

export interface LowerOptions {
  /** For float32: `HIGHEST`, or `DEFAULT`, which is TF32 where a device has it. Default `HIGHEST`. */
  precision?: OpCall['precision'] | undefined;
  /** On several devices, with the inputs of which each has a part of the rows. Default: one. */
  sharding?: (Sharding & { splits(input: string): boolean }) | undefined;
}

/**
 * Writes a recording as StableHLO, whose new state takes the memory of the state that it replaces. Every op carries its TensorFlow op and plugin as an MLIR location.
 *
 * @throws {CaptureError} PJRT_OP for an op, or a form of one, that is not lowered.
 */
export function lower(recording: Recording, { precision = 'HIGHEST', sharding }: LowerOptions = {}): LoweredProgram {
  const b = createBuilder();
  const { nodes } = recording;
  const values: (readonly Value[])[] = [];
  const nextState = Object.keys(recording.state);
  const given = (kind: 'state' | 'input') =>
    nodes.flatMap((node, index) =>
      node.kind === kind ? [{ kind, name: node.name, own: node.outputs[0]!, index }] : [],
    );
  const taken = [...given('state'), ...given('input')];
  const parameters = taken.map(({ kind, name, own }) => {
    const split = kind === 'input' && Boolean(sharding?.splits(name));
    return { kind, name, split, spec: split && sharding?.parts ? wholeOf(own, sharding.devices) : own };
  });
  const names = sharding?.parts ? 'part' : 'arg';
  for (const [place, { own, index }] of taken.entries()) values[index] = [{ ...own, id: `%${names}${place}` }];
  for (const [index, node] of nodes.entries()) {
    if (node.kind === 'constant') values[index] = [lazyConstant(node, b)];
    if (node.kind !== 'op') continue;
    b.begin(index);
    values[index] = lowerOp(node, nodes, values, { b, precision });
  }
  b.begin(-1);
  const results = [...Object.values(recording.state), ...Object.values(recording.outputs)].map(
    ({ node, output }) => values[node]![output]!,
  );
  const placed = parameters.map(({ kind, name, ...parameter }) => {
    const target = kind === 'state' ? nextState.indexOf(name) : -1;
    return target < 0 ? parameter : { ...parameter, attribute: `tf.aliasing_output = ${target} : i32` };
  });
  const { lines, begins } = moduleText({ parameters: placed, body: b.lines, results }, sharding);
  const places = [...new Set(b.origins)].map((origin) => `#at${origin + 1} = loc("${nameOf(nodes[origin])}")`);
  return {
    text: [...lines, ...places, ''].join('\n'),
    parameters,
    nextState,
    outputs: Object.keys(recording.outputs).map((name, i) => ({ name, spec: results[nextState.length + i]! })),
    originOf(line) {
      const node = nodes[b.origins[line - 1 - begins] ?? -1];
      if (node?.kind !== 'op') return {};
      return { op: node.op, ...(node.owner !== undefined && { owner: node.owner }) };
    },
  };
}

/** What devices have together of which each has a part like this. */
const wholeOf = ({ shape: [rows, ...rest], dtype }: TensorSpec, devices: number): TensorSpec => ({
  shape: [rows! * devices, ...rest],
  dtype,
});

/** What errors and profiles of a plugin call an op. */
function nameOf(node: RecordedNode | undefined): string {
  if (node?.kind !== 'op') return 'tailmix';
  return node.owner === undefined ? node.op : `${node.op} [${node.owner.replaceAll(/["\\]/g, '')}]`;
}

function lowerOp(
  node: OpNode,
  nodes: readonly RecordedNode[],
  values: readonly (readonly Value[])[],
  { b, precision }: Pick<OpCall, 'b' | 'precision'>,
): readonly Value[] {
  const refuse = (why: string): never => {
    throw notLowered(node.op, node.owner, why);
  };
  const lowering = lowerings.get(node.op);
  if (lowering === undefined) return refuse('nobody has written it');
  if (/^NC/.test(String(node.attributes.data_format?.value ?? ''))) return refuse('its channels come first');
  const host = (input: number): number[] => {
    const source = nodes[node.inputs[input]!.node]!;
    if (source.kind !== 'constant') return refuse(`input ${input} is computed, and has to be known`);
    return numbersIn(source);
  };
  const inputs = node.inputs.map(
    ({ node: from, output }) => values[from]![output] ?? refuse('it uses an unknown output'),
  );
  let results: readonly Value[];
  try {
    results = lowering({
      op: node.op,
      inputs,
      outputs: node.outputs,
      attributes: node.attributes,
      b,
      precision,
      host,
      refuse,
    });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'PJRT_TYPE') throw error;
    return refuse((error as Error).message);
  }
  for (const [i, value] of results.entries()) {
    const spec = node.outputs[i];
    if (spec && tensorType(value) !== tensorType(spec))
      refuse(`it came out as ${tensorType(value)} instead of ${tensorType(spec)}`);
  }
  return results;
}

/** The numbers of a constant. */
function numbersIn({ outputs: [spec], value }: ConstantNode): number[] {
  const bytes = Uint8Array.from(value as Uint8Array).buffer;
  const { dtype } = spec!;
  if (dtype === DT.int64) return [...new BigInt64Array(bytes)].map(Number);
  return [
    ...(dtype === DT.float32
      ? new Float32Array(bytes)
      : dtype === DT.int32
        ? new Int32Array(bytes)
        : new Uint8Array(bytes)),
  ];
}

/** A constant that is written where it is first read as a tensor: shapes and axes never are. */
function lazyConstant({ outputs: [spec], value }: ConstantNode, b: Builder): Value {
  const { shape, dtype } = spec!;
  let written: Value | undefined;
  const write = (): Value => {
    if (dtype === DT.bool) return b.compare('NE', bytesOf(DT.uint8), b.splat(0, shape, DT.uint8));
    return bytesOf(dtype);
  };
  const bytesOf = (type: number): Value => {
    const { width } = elementType(type);
    const bytes = Buffer.from(value as Uint8Array);
    if (sizeOf(shape) === 0) return b.constant({ shape, dtype: type }, '');
    // One element stands for all that are equal.
    const isSplat = bytes.subarray(width).equals(bytes.subarray(0, -width));
    const data = isSplat ? bytes.subarray(0, width) : bytes;
    const constant = (of: readonly number[]): Value =>
      b.constant({ shape: of, dtype: type }, `"0x${data.toString('hex').toUpperCase()}"`);
    return isSplat ? b.broadcast(constant([]), shape) : constant(shape);
  };
  return {
    shape,
    dtype,
    get id() {
      written ??= write();
      return written.id;
    },
  };
}
