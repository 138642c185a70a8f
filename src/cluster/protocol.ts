import { DT, nodeDef, TAG, VERSIONS, wire } from '../graph/index.ts';
import type { Membership } from './membership.ts';

const { int, message, text, toBytes } = wire;

/** `RewriterConfig.OFF`. */
const OFF = 2;

/** Fields of a `ConfigProto` (tensorflow/core/protobuf/config.proto). */
const configFields = (rank: number, { remapping = true }: { remapping?: boolean } = {}): string[] => [
  // device_filters: a process computes on its own devices.
  text(4, `/job:worker/task:${rank}`),
  // Without isolate_session_state, the sessions of a server share variables by name, silently.
  int(15, true),
  // experimental.collective_group_leader
  message(16, text(1, '/job:worker/replica:0/task:0')),
  // graph_options.rewrite_options.remapping
  ...(remapping ? [] : [message(10, message(10, int(14, OFF)))]),
];

/** `ConfigProto` of a session. `remapping: false` leaves out a rewrite that a distributed session refuses in bfloat16. */
export const configProto = (rank: number, options?: { remapping?: boolean }): Uint8Array =>
  toBytes(configFields(rank, options).join(''));

/** `ServerDef` of one process of a job. */
export function serverDef({ rank, addresses }: Pick<Membership, 'rank' | 'addresses'>): Uint8Array {
  const tasks = addresses.map((address, task) => message(2, int(1, task), text(2, address)));
  const cluster = message(1, message(1, text(1, 'worker'), ...tasks));
  return toBytes(
    [cluster, text(2, 'worker'), int(3, rank), message(4, ...configFields(rank)), text(5, 'grpc')].join(''),
  );
}

/** `RunOptions` with a time limit. */
export const runOptions = (milliseconds: number): Uint8Array => toBytes(int(2, milliseconds));

const type = { kind: 'type', value: DT.int32 } as const;

/**
 * A `saved_model.pb` that sums int32 vectors over all processes: `x<length>` → `sum<length>`, for each length.
 *
 * @param processes - how many there are
 * @param firstKey - of the sums, one for each length; no other sum of the cluster has it
 */
export function sumModel(lengths: readonly number[], processes: number, firstKey = 1): Uint8Array {
  const constant = (name: string, value: number): string =>
    nodeDef({
      name,
      op: 'Const',
      attributes: {},
      inputs: [],
      value: {
        kind: 'constant',
        outputs: [{ shape: [], dtype: DT.int32 }],
        value: new Uint8Array(Int32Array.of(value).buffer),
      },
    });
  const nodes = lengths.flatMap((length, index) => [
    constant(`key${length}`, firstKey + index),
    nodeDef({
      name: `x${length}`,
      op: 'Placeholder',
      attributes: { dtype: type, shape: { kind: 'shape', value: [length] } },
      inputs: [],
    }),
    nodeDef({
      name: `sum${length}`,
      op: 'CollectiveReduceV2',
      attributes: {
        T: type,
        merge_op: { kind: 'string', value: 'Add' },
        final_op: { kind: 'string', value: 'Id' },
        communication_hint: { kind: 'string', value: 'ring' },
        Nordering_token: { kind: 'int', value: 0 },
      },
      inputs: [`x${length}`, 'processes', 'group', `key${length}`],
    }),
  ]);
  const definition = [constant('processes', processes), constant('group', GROUP), ...nodes, VERSIONS];
  return toBytes(int(1, true) + message(2, message(1, text(4, TAG)), message(2, ...definition)));
}

/** Key of the one group, which is all processes. */
export const GROUP = 1;
