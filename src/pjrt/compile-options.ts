import { wire } from '../graph/index.ts';

const { entry, int, message, toBytes } = wire;

/**
 * XLA's `CompileOptionsProto` (`xla/pjrt/proto/compile_options.proto`) for one device. It says that it is one: without that a
 * plugin aborts the process.
 *
 * @param xla - options of XLA by name, for example `xla_gpu_deterministic_ops`
 */
export function compileOptionsProto(xla: Readonly<Record<string, boolean>>): Uint8Array {
  const build = message(3, int(4, 1), int(5, 1));
  const overrides = Object.entries(xla).map(([name, value]) => entry(7, name, int(2, value)));
  return toBytes([build, ...overrides].join(''));
}
