import { release } from 'node:os';
import process from 'node:process';
import { type CpuFeatures, cpuFeatures } from './cpu.ts';
import { type NativeName, TENSORFLOW_VERSION } from './paths.ts';
import { LABELS, targetOf } from './target.ts';

/** Oldest glibc that the TensorFlow wheel runs on (its tag says `manylinux_2_27`). */
const MIN_GLIBC = '2.27';

/** Oldest Darwin, which is macOS 12: the wheel's tag says `macosx_12_0`. */
const MIN_DARWIN = 21;

/** What decides whether TensorFlow's C library can run at all. */
export interface Platform {
  os: string;
  arch: string;
  /** Version of glibc, for example `2.36`; `null` with another C library (Alpine) or off Linux. */
  glibc: string | null;
  /** Version of the kernel, for example `6.1.0` on Linux, `23.4.0` on macOS 14. */
  release: string;
  cpu: CpuFeatures | null;
}

/** The machine this process runs on. */
export function currentPlatform(): Platform {
  return { os: process.platform, arch: process.arch, glibc: glibcVersion(), release: release(), cpu: cpuFeatures() };
}

/**
 * Why TensorFlow's C library cannot run on `platform`, as one sentence with its cure where there is one, or `null` if it
 * can.
 */
export function whyUnsupported(
  { os, arch, glibc, release, cpu }: Platform,
  name: NativeName = 'native',
): string | null {
  const target = targetOf(os, arch);
  if (os === 'win32') return 'on Windows it runs in WSL 2 only: install tailmix there.';
  if (target === null) {
    return `it needs ${LABELS}, and this is ${os} on ${arch}, for which TensorFlow ${TENSORFLOW_VERSION} has no library.`;
  }
  if (target.wheels[name] === null) return `the GPU build needs Linux on x86-64, this is ${target.label}.`;
  if (os === 'darwin') {
    const isOld = isOlder(release, `${MIN_DARWIN}.0`);
    return isOld ? `it needs macOS ${MIN_DARWIN - 9} or newer, this is Darwin ${release}.` : null;
  }
  if (glibc === null) {
    return (
      `it needs glibc ${MIN_GLIBC} or newer, this system has another C library (musl, as Alpine has); in a container, use ` +
      'an image with glibc, for example node:22-bookworm-slim.'
    );
  }
  if (isOlder(glibc, MIN_GLIBC)) return `it needs glibc ${MIN_GLIBC} or newer, this system has glibc ${glibc}.`;
  if (arch === 'x64' && cpu !== null && !cpu.avx)
    return `it needs a processor with AVX, this one (${cpu.model}) has none.`;
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
