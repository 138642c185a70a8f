import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Instruction sets that decide how fast, and whether, TensorFlow runs here. */
export interface CpuFeatures {
  model: string;
  avx: boolean;
  avx2: boolean;
  fma: boolean;
  /** F, BW, CD, DQ and VL: what compilers call x86-64-v4. */
  avx512: boolean;
  avx512_bf16: boolean;
  amx_bf16: boolean;
  /** ARM's vectors of four float32, which every 64-bit processor of it has. */
  neon: boolean;
}

/** Features of this machine's first processor, from `/proc/cpuinfo`; `null` where there is no such file (not Linux). */
export function cpuFeatures(cpuinfo: string | null = readCpuinfo()): CpuFeatures | null {
  if (cpuinfo === null) return null;
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(/\s+/));
  return {
    model: /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.trim() ?? cpus()[0]?.model ?? 'unknown',
    avx: flags.has('avx'),
    avx2: flags.has('avx2'),
    fma: flags.has('fma'),
    avx512: ['f', 'bw', 'cd', 'dq', 'vl'].every((part) => flags.has(`avx512${part}`)),
    avx512_bf16: flags.has('avx512_bf16'),
    amx_bf16: flags.has('amx_bf16'),
    neon: flags.has('asimd'),
  };
}

/** Whether bfloat16 arithmetic is native here; without it, bfloat16 is emulated and slower than float32. */
export const isBfloat16Native = (cpu: CpuFeatures): boolean => cpu.avx512_bf16 || cpu.amx_bf16;

function readCpuinfo(): string | null {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return null;
  }
}
