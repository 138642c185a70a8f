import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { messageOf } from '../errors.ts';
import { compileModule, findCompiler, tryToRun } from './compile.ts';
import { type CpuFeatures, cpuFeatures } from './cpu.ts';
import { bindingPath } from './paths.ts';

/** C++ source of the ops, shipped with the package. */
const SOURCES = join(dirname(createRequire(import.meta.url).resolve('tailmix/package.json')), 'native');

/** What the code is compiled for; see {@link CpuFeatures.avx512}. No contraction: `a·b + c` rounds as it is written. */
const FLAGS = ['-O3', '-march=x86-64-v4', '-ffp-contract=off', '-fvisibility=hidden'];

let known: string | undefined;

/** Of flags and sources, read once in a process. */
function digest(): string {
  known ??= digestSources();
  return known;
}

function digestSources(): string {
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const file of readdirSync(SOURCES).sort()) hash.update(file).update(readFileSync(join(SOURCES, file)));
  return hash.digest('hex').slice(0, 12);
}

/** The compiled ops inside a native build; the name holds a digest of the source, so that an upgrade compiles anew. */
const customOpsPath = (folder: string): string => join(folder, 'lib', `tailmix_ops-${digest()}.node`);

/**
 * Why tailmix's custom TensorFlow ops are not used with a native build, as a sentence, or `null` if they are. They are
 * faster, nothing depends on them: `TAILMIX_OPS=0` leaves them out.
 */
export function whyNotCustomOps(folder: string, cpu: CpuFeatures | null = cpuFeatures()): string | null {
  return whyNever(cpu) ?? (existsSync(customOpsPath(folder)) ? null : 'they are not compiled; run `tailmix setup`.');
}

function whyNever(cpu: CpuFeatures | null): string | null {
  if (process.env.TAILMIX_OPS === '0') return 'TAILMIX_OPS=0 leaves them out.';
  return cpu?.avx512 ? null : 'they need a processor with AVX-512.';
}

/**
 * Compiles the ops into a native build, unless they are there or cannot run here.
 *
 * @returns why they will not be used, or `null`
 */
export async function setUpCustomOps(
  folder: string,
  onStage: (stage: string) => void = () => {},
): Promise<string | null> {
  const never = whyNever(cpuFeatures());
  if (never !== null || existsSync(customOpsPath(folder))) return never;
  onStage("compiling tailmix's custom TensorFlow ops");
  const work = await mkdtemp(join(folder, 'lib', 'ops-'));
  try {
    const module = join(work, 'ops.node');
    const libraries = [`-L${join(folder, 'lib')}`, '-l:libtensorflow_framework.so.2', '-Wl,-rpath,$ORIGIN:$ORIGIN/..'];
    await compileModule('its custom ops', await findCompiler(), [...FLAGS, join(SOURCES, 'ops.cc')], module, libraries);
    await tryToRun(`require(${JSON.stringify(bindingPath(folder))}); require(${JSON.stringify(module)})`);
    await rename(module, customOpsPath(folder));
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Loads the ops into a build that is loaded. Returns why not, or `null`. */
export function loadCustomOps(folder: string): string | null {
  const why = whyNotCustomOps(folder);
  if (why !== null) return why;
  try {
    createRequire(import.meta.url)(customOpsPath(folder));
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
