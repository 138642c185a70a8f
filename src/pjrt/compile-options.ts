/** How a program is compiled. */
export interface CompileOptions {
  /** Devices that the batch is split over. Default 1. */
  partitions?: number;
  /** Options of XLA by name, for example `xla_gpu_deterministic_ops`. */
  xla?: Readonly<Record<string, boolean>>;
}

const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))];
const field = (number: number, value: number): number[] => [...varint(number << 3), ...varint(value)];
const message = (number: number, bytes: readonly number[]): number[] => [
  ...varint((number << 3) | 2),
  ...varint(bytes.length),
  ...bytes,
];

/**
 * XLA's `CompileOptionsProto` (`xla/pjrt/proto/compile_options.proto`). It always says how many devices there are: without
 * that a plugin aborts the process.
 */
export function compileOptionsProto({ partitions = 1, xla = {} }: CompileOptions = {}): Uint8Array {
  const spread = partitions > 1 ? [...field(6, 1), ...field(19, 1)] : [];
  const build = [...field(4, 1), ...field(5, partitions), ...spread];
  const overrides = Object.entries(xla).flatMap(([name, value]) => {
    const entry = [...message(1, [...Buffer.from(name)]), ...message(2, field(2, Number(value)))];
    return message(7, entry);
  });
  return Uint8Array.from([...message(3, build), ...overrides]);
}
