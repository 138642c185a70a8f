import { DT } from '../../graph/index.ts';
import { ringPart } from '../../util/ring-part.ts';
import { type Builder, i64List, type Value } from '../builder.ts';
import type { Lowerings, OpCall } from '../op-call.ts';
import { tensorType, UINT32 } from '../types.ts';

/** Text of a collective among all devices; the channel says that they compute partitions of one program. */
const among = (op: string, devices: number, attributes: string): string =>
  `"stablehlo.${op}"(VALUE) <{replica_groups = dense<${JSON.stringify([Array.from({ length: devices }, (_, i) => i)])}> : tensor<1x${devices}xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, ${attributes}}>`;

const collective = (b: Builder, x: Value, shape: readonly number[], text: string): Value => {
  const spec = { shape, dtype: x.dtype };
  return b.emit(spec, `${text.replace('VALUE', x.id)} : (${tensorType(x)}) -> ${tensorType(spec)}`);
};

/** `[n, …]` of each device behind one another, in the order of devices: `[D·n, …]`. */
const gather = (b: Builder, x: Value, devices: number): Value =>
  collective(
    b,
    x,
    [x.shape[0]! * devices, ...x.shape.slice(1)],
    among('all_gather', devices, 'all_gather_dim = 0 : i64, use_global_device_ids'),
  );

/** Part r of device d's D parts becomes part d of device r's. */
const exchange = (b: Builder, x: Value, devices: number): Value =>
  collective(
    b,
    x,
    x.shape,
    among(
      'all_to_all',
      devices,
      `split_dimension = 0 : i64, concat_dimension = 0 : i64, split_count = ${devices} : i64`,
    ),
  );

/**
 * The sum of `[n]` of all devices in the order of a ring, as `sumInRing` has it: device c sums part c, beginning with its own and going
 * on around the ring, and all get all parts.
 */
function sum(b: Builder, x: Value, devices: number): Value {
  const [length] = x.shape as [number];
  const part = ringPart(length, devices);
  const size = devices * part;
  const padded = b.pad(x, b.splat(0, [], x.dtype), [0], [size - length]);
  const own = exchange(b, padded, devices);
  const place = b.convert(b.emit({ shape: [], dtype: UINT32 }, 'stablehlo.partition_id : tensor<ui32>'), DT.int32);
  const first = b.binary('multiply', place, b.splat(part, [], DT.int32));
  const twice = b.concatenate([own, own], 0);
  const turned = b.emit(
    own,
    `"stablehlo.dynamic_slice"(${twice.id}, ${first.id}) <{slice_sizes = ${i64List([size])}}> : (${tensorType(twice)}, ${tensorType(first)}) -> ${tensorType(own)}`,
  );
  const parts = Array.from({ length: devices }, (_, i) => b.slice(turned, [i * part], [(i + 1) * part]));
  const total = parts.reduce((before, next) => b.binary('add', before, next));
  return b.slice(gather(b, total, devices), [0], [length]);
}

const devicesOf = ({ host }: OpCall): number => host(1)[0]!;

/** Collectives of TensorFlow, whose group are the devices of a program. */
export const collectives: Lowerings = {
  CollectiveGatherV2: (call) => [gather(call.b, call.inputs[0]!, devicesOf(call))],
  CollectiveReduceV2: (call) => [sum(call.b, call.inputs[0]!, devicesOf(call))],
};
