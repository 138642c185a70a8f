import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { messageOf } from '../errors.ts';
import { nativeSources } from '../package-root.ts';
import { compileModule, findCompiler, librariesAround, tryModule } from './compile.ts';
import { type CpuFeatures, cpuFeatures } from './cpu.ts';
import { ownTarget, targetOf } from './target.ts';

/** No contraction: `a·b + c` rounds as it is written. */
const FLAGS = ['-O3', '-ffp-contract=off', '-fvisibility=hidden'];

/** A kind of processor that the ops are compiled for. */
interface Variant {
  name: string;
  arch: string;
  flags: readonly string[];
  runs(cpu: CpuFeatures): boolean;
}

/** The best first. A cache on a shared disk serves machines of several kinds, so that all of an architecture are compiled. */
const VARIANTS: readonly Variant[] = [
  { name: 'avx512', arch: 'x64', flags: ['-march=x86-64-v4'], runs: ({ avx512 }) => avx512 },
  { name: 'avx2', arch: 'x64', flags: ['-march=x86-64-v3'], runs: ({ avx2, fma }) => avx2 && fma },
  { name: 'neon', arch: 'arm64', flags: [], runs: () => true },
];

/** Which machine ops are wanted for. Default: this one. */
export interface OpsMachine {
  os?: string;
  arch?: string;
  cpu?: CpuFeatures | null;
}

/** The variants that a machine runs: the best one of its processor, or of `TAILMIX_OPS`, and those below. */
function variantsFor({ arch = process.arch, cpu = cpuFeatures() }: OpsMachine): readonly Variant[] {
  const own = VARIANTS.filter(
    (variant) => variant.arch === arch && (arch === 'arm64' || (cpu !== null && variant.runs(cpu))),
  );
  const cap = own.findIndex(({ name }) => name === process.env.TAILMIX_OPS);
  return cap < 0 ? own : own.slice(cap);
}

let known: string | undefined;

/** Of flags and sources, read once in a process. */
function digest(): string {
  known ??= digestSources();
  return known;
}

function digestSources(): string {
  const hash = createHash('sha256').update(JSON.stringify([FLAGS, VARIANTS]));
  // Other modules have digests of their own.
  const files = readdirSync(nativeSources).filter((file) => !/^(cluster|pjrt|node_api)/.test(file));
  for (const file of files.sort()) hash.update(file).update(readFileSync(join(nativeSources, file)));
  return hash.digest('hex').slice(0, 12);
}

/** The compiled ops inside a native build; the name holds a digest of the source, so that an upgrade compiles anew. */
const customOpsPath = (folder: string, { name }: Variant): string =>
  join(folder, 'lib', `tailmix_ops-${digest()}-${name}.node`);

/**
 * Why tailmix's custom TensorFlow ops are not used with a native build, as a sentence, or `null` if they are. They are
 * faster, nothing depends on them: `TAILMIX_OPS=0` leaves them out, and `TAILMIX_OPS=avx2` uses no more than AVX2.
 */
export const whyNotCustomOps = (folder: string, machine: OpsMachine = {}): string | null =>
  findCustomOps(folder, variantsFor(machine)).why;

/** The kind of processor that the ops in use are compiled for, for example `avx2`; `null` if none are. */
export const customOpsVariant = (folder: string, machine: OpsMachine = {}): string | null =>
  findCustomOps(folder, variantsFor(machine)).variant?.name ?? null;

/** Which build of the ops is used: source and kind of processor, or `none`. */
export function customOpsBuild(folder: string): string {
  const variant = customOpsVariant(folder);
  return variant === null ? 'none' : `${digest()}-${variant}`;
}

type Found = { variant: Variant; why: null } | { variant: null; why: string };

/** The best variant that is compiled, or why none is used. */
function findCustomOps(folder: string, variants: readonly Variant[]): Found {
  const never = whyNever(variants);
  if (never !== null) return { variant: null, why: never };
  const variant = variants.find((one) => existsSync(customOpsPath(folder, one)));
  return variant ? { variant, why: null } : { variant: null, why: 'they are not compiled; run `tailmix setup`.' };
}

function whyNever(variants: readonly Variant[]): string | null {
  if (process.env.TAILMIX_OPS === '0') return 'TAILMIX_OPS=0 leaves them out.';
  return variants.length > 0 ? null : 'they need a processor with AVX2 and FMA, or a 64-bit ARM.';
}

/**
 * Compiles the ops into a native build, in all variants of its architecture that are not there yet.
 *
 * @returns why they will not be used, or `null`
 */
export async function setUpCustomOps(
  folder: string,
  onStage: (stage: string) => void = () => {},
  machine: OpsMachine = {},
): Promise<string | null> {
  const { os = process.platform, arch = process.arch } = machine;
  const variants = variantsFor(machine);
  const never = whyNever(variants);
  if (never !== null) return never;
  const missing = VARIANTS.filter((v) => v.arch === arch && !existsSync(customOpsPath(folder, v)));
  if (missing.length === 0) return null;
  onStage("compiling tailmix's custom TensorFlow ops");
  const runnable = arch === process.arch ? variants : [];
  const work = await mkdtemp(join(folder, 'lib', 'ops-'));
  try {
    const compiler = await findCompiler();
    const target = targetOf(os, arch) ?? ownTarget();
    const libraries = [join(folder, 'lib', target.libraries.framework)];
    const failures = await Promise.allSettled(
      missing.map(async (variant) => {
        const module = join(work, `${variant.name}.node`);
        const sources = [...FLAGS, ...variant.flags, join(nativeSources, 'ops.cc'), librariesAround(target)];
        await compileModule('its custom ops', compiler, sources, module, libraries, target);
        if (runnable.includes(variant)) await tryModule(folder, module);
        await rename(module, customOpsPath(folder, variant));
      }),
    );
    const failure = failures.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failure !== undefined && findCustomOps(folder, variants).variant === null) throw failure.reason;
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Loads the ops into a build that is loaded. Returns why not, or `null`. */
export function loadCustomOps(folder: string): string | null {
  const { variant, why } = findCustomOps(folder, variantsFor({}));
  if (variant === null) return why;
  try {
    createRequire(import.meta.url)(customOpsPath(folder, variant));
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
