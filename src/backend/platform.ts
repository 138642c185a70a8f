import process from 'node:process';
import { type CpuFeatures, cpuFeatures } from './cpu.ts';

/** Oldest glibc that the TensorFlow wheel runs on (its tag says `manylinux_2_27`). */
const MIN_GLIBC = '2.27';

/** What decides whether TensorFlow's C library can run at all. */
export interface Platform {
  os: string;
  arch: string;
  /** Version of glibc, for example `2.36`; `null` with another C library (Alpine) or off Linux. */
  glibc: string | null;
  cpu: CpuFeatures | null;
}

/** The machine this process runs on. */
export function currentPlatform(): Platform {
  return { os: process.platform, arch: process.arch, glibc: glibcVersion(), cpu: cpuFeatures() };
}

/** Why TensorFlow's C library cannot run on `platform`, as one sentence, or `null` if it can. */
export function whyUnsupported({ os, arch, glibc, cpu }: Platform): string | null {
  const needs = `it needs Linux on x86-64 with AVX and glibc ${MIN_GLIBC} or newer`;
  if (os !== 'linux' || arch !== 'x64') return `${needs}, this is ${os} on ${arch}.`;
  if (glibc === null) return `${needs}, this system has another C library.`;
  if (isOlder(glibc, MIN_GLIBC)) return `${needs}, this system has glibc ${glibc}.`;
  if (cpu !== null && !cpu.avx) return `${needs}, this processor (${cpu.model}) has no AVX.`;
  return null;
}

/** Compares dotted versions of two numbers. */
function isOlder(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB);
}

function glibcVersion(): string | null {
  if (process.platform !== 'linux') return null;
  // `excludeNetwork` spares slow look-ups; it is younger than the type declarations.
  const report = process.report as typeof process.report & { excludeNetwork: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before;
  return header.glibcVersionRuntime ?? null;
}
