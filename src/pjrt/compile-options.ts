import { wire } from '../graph/index.ts';

const { entry, int, ints, message, toBytes } = wire;

/**
 * XLA's `CompileOptionsProto` (`xla/pjrt/proto/compile_options.proto`) for one program on one or several devices, of which each computes
 * a partition. It says how many they are: without that a plugin aborts the process.
 *
 * @param xla - options of XLA by name, for example `xla_gpu_deterministic_ops`
 * @param devices - their ids
 */
export function compileOptionsProto(xla: Readonly<Record<string, boolean>>, devices: readonly number[]): Uint8Array {
  const sharded = devices.length > 1;
  // Of `DeviceAssignmentProto`, a computation for each partition. The first device is what is taken where none is named.
  const assigned = message(9, int(1, 1), int(2, devices.length), ...devices.map((id) => message(3, ints(1, [id]))));
  const build = message(
    3,
    int(4, 1),
    int(5, devices.length),
    // use_spmd_partitioning, use_shardy_partitioner
    ...(sharded ? [int(6, true)] : []),
    ...(sharded || devices[0] !== 0 ? [assigned] : []),
    ...(sharded ? [int(19, true)] : []),
  );
  const overrides = Object.entries(xla).map(([name, value]) => entry(7, name, int(2, value)));
  return toBytes([build, ...overrides].join(''));
}
