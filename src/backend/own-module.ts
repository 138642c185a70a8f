import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { messageOf, type TailmixError } from '../errors.ts';
import { nativeSources } from '../package-root.ts';
import { compileModule, findCompiler, tryModule } from './compile.ts';
import { nativeFolder } from './paths.ts';
import { ownTarget, type Target, targetOf } from './target.ts';

/** A Node-API module of tailmix that is compiled into a native build, and that most runs do without. */
export interface OwnModuleSource {
  /** `cluster` for `native/cluster.cc`. */
  name: string;
  /** Other files of `native/` that it includes. */
  headers: readonly string[];
  /** What it is for, as in `compiling what … needs`. */
  purpose: string;
  /** Flags and libraries of the compiler, given the build's folder. */
  flags(folder: string, target: Target): { flags: readonly string[]; libraries: readonly string[] };
  /** Why it cannot be compiled into a build as it is, or `null`. */
  whyNot?(folder: string): string | null;
  /** The error of a module that is not there, or does not load. */
  missing(why: string): TailmixError;
}

export interface OwnModule<Exports> {
  /**
   * Compiles the module into a native build, unless it is there.
   *
   * @returns why there is none, or `null`
   */
  setUp(
    folder: string,
    onStage?: (stage: string) => void,
    machine?: { os?: string; arch?: string },
  ): Promise<string | null>;
  /** Whether it is compiled. Default: in this machine's build. */
  isCompiled(folder?: string): boolean;
  /** Where it is, or would be. */
  path(folder?: string): string;
  /** Loads it into this process, after the build's libraries. */
  load(folder?: string): Exports;
}

/** A module of `native/`. Its file's name holds a digest of the sources, so that an upgrade compiles it anew. */
export function ownModule<Exports>(module: OwnModuleSource): OwnModule<Exports> {
  const { name, headers, missing } = module;
  const source = join(nativeSources, `${name}.cc`);
  const pathIn = (folder: string): string => {
    const hash = createHash('sha256');
    for (const file of [source, ...headers.map((header) => join(nativeSources, header))])
      hash.update(readFileSync(file));
    return join(folder, 'lib', `tailmix_${name}-${hash.digest('hex').slice(0, 12)}.node`);
  };
  return {
    async setUp(folder, onStage = () => {}, { os = process.platform, arch = process.arch } = {}) {
      const path = pathIn(folder);
      if (existsSync(path)) return null;
      const why = module.whyNot?.(folder) ?? null;
      if (why !== null) return why;
      onStage(`compiling what ${module.purpose} needs`);
      const work = await mkdtemp(join(folder, 'lib', `${name}-`));
      try {
        const compiler = await findCompiler();
        const target = targetOf(os, arch) ?? ownTarget();
        const { flags, libraries } = module.flags(folder, target);
        const made = join(work, `${name}.node`);
        const sources = ['-O2', '-fvisibility=hidden', source, ...flags];
        await compileModule(`${name}.cc`, compiler, sources, made, libraries, target);
        if (arch === process.arch) await tryModule(folder, made);
        await rename(made, path);
        return null;
      } catch (error) {
        return messageOf(error);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    },
    isCompiled: (folder = nativeFolder('native')) => existsSync(pathIn(folder)),
    path: (folder = nativeFolder('native')) => pathIn(folder),
    load(folder = nativeFolder('native')) {
      const path = pathIn(folder);
      if (!existsSync(path)) throw missing('it is not compiled; run `tailmix setup`.');
      try {
        return createRequire(import.meta.url)(path) as Exports;
      } catch (error) {
        throw missing(messageOf(error));
      }
    },
  };
}
