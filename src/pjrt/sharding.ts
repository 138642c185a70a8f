import type { TensorSpec } from '../graph/index.ts';
import type { Value } from './builder.ts';
import { tensorType } from './types.ts';

/** How a program is shared by several devices of one plugin (the dialect Shardy of MLIR). */
export interface Sharding {
  /** D, at least 2. */
  devices: number;
  /**
   * Whether the program is that of one device's part, and joins all by collectives. Else it is that of the whole batch, and the
   * compiler shares it out.
   */
  parts: boolean;
}

/** The one axis of the mesh of devices. */
const AXIS = '"rows"';

/** A parameter or result, and whether each device has a part of its rows. */
interface Placed {
  spec: TensorSpec;
  split: boolean;
}

const shardingOf = ({ spec: { shape }, split }: Placed): string =>
  `[${shape.map((_, i) => (i === 0 && split ? `{${AXIS}}` : '{}')).join(', ')}]`;

/** The tensor that each device has of one that may be split. */
export const partOf = ({ spec, split }: Placed, devices: number): TensorSpec =>
  split ? { ...spec, shape: [spec.shape[0]! / devices, ...spec.shape.slice(1)] } : spec;

/** A function's text, from what it takes, computes and gives. Results are whole on each device. */
export interface ProgramText {
  parameters: readonly (Placed & { attribute?: string })[];
  body: readonly string[];
  results: readonly Value[];
}

/** A module of StableHLO, as text, and on which of its lines (from 0) the body begins. */
export function moduleText(
  { parameters, body, results }: ProgramText,
  sharding?: Sharding,
): { lines: string[]; begins: number } {
  const types = results.map(tensorType);
  const whole = results.map((spec) => ({ spec, split: false }));
  const given = parameters.map((parameter, place) => {
    const { spec, attribute = '' } = parameter;
    const sharded = sharding ? [`sdy.sharding = #sdy.sharding<@mesh, ${shardingOf(parameter)}>`] : [];
    const attributes = [...sharded, ...(attribute === '' ? [] : [attribute])];
    return `%arg${place}: ${tensorType(spec)}${attributes.length === 0 ? '' : ` {${attributes.join(', ')}}`}`;
  });
  const gives = sharding
    ? whole.map((result, i) => `${types[i]} {sdy.sharding = #sdy.sharding<@mesh, ${shardingOf(result)}>}`)
    : types;
  const head = sharding
    ? [
        `module @step attributes {mhlo.num_partitions = ${sharding.devices} : i32, mhlo.num_replicas = 1 : i32} {`,
        `  sdy.mesh @mesh = <[${AXIS}=${sharding.devices}]>`,
      ]
    : ['module @step {'];
  head.push(`  func.func public @main(${given.join(', ')}) -> (${gives.join(', ')}) {`);
  const ids = results.map(({ id }) => id).join(', ');
  if (!sharding?.parts) {
    return { lines: [...head, ...body, `    return ${ids} : ${types.join(', ')}`, '  }', '}'], begins: head.length };
  }
  const list = (placed: readonly Placed[]): string => placed.map((one) => `<@mesh, ${shardingOf(one)}>`).join(', ');
  const own = parameters.map((parameter, place) => `%part${place}: ${tensorType(partOf(parameter, sharding.devices))}`);
  const args = parameters.map((_, place) => `%arg${place}`);
  head.push(
    `    %all:${results.length} = sdy.manual_computation(${args.join(', ')}) in_shardings=[${list(parameters)}] out_shardings=[${list(whole)}] manual_axes={${AXIS}} (${own.join(', ')}) {`,
  );
  const from = parameters.map(({ spec }) => tensorType(spec)).join(', ');
  const all = results.map((_, i) => (results.length === 1 ? '%all' : `%all#${i}`));
  return {
    lines: [
      ...head,
      ...body,
      `    sdy.return ${ids} : ${types.join(', ')}`,
      `    } : (${from}) -> (${types.join(', ')})`,
      `    return ${all.join(', ')} : ${types.join(', ')}`,
      '  }',
      '}',
    ],
    begins: head.length,
  };
}
