import { createRequire } from 'node:module';
import { availableParallelism, freemem, machine, release, totalmem, type } from 'node:os';
import process from 'node:process';
import { tf } from '../tf.ts';
import { version } from '../version.ts';

/** What a bug report needs to know of the place that tailmix runs in. */
export interface Surroundings {
  /** Version of each package that results can depend on, and of Node and its parts; null where one is not installed. */
  versions: Readonly<Record<string, string | null>>;
  machine: { system: string; cores: number; memory: number; freeMemory: number };
  /** Variables that tailmix, TensorFlow or Node heed, as far as they are set; not those with credentials. */
  environment: Readonly<Record<string, string>>;
}

const PACKAGES = ['onnxruntime-node', 'sharp', 'tapable', 'zod'];

const HEEDED =
  /^(TAILMIX_\w+|TF_\w+|OMP_\w+|NODE_OPTIONS|XDG_CACHE_HOME|CXX|LD_LIBRARY_PATH|CUDA_VISIBLE_DEVICES|CI|TMPDIR|UV_THREADPOOL_SIZE)$/;

/** Looks at versions, machine and environment. */
export function surroundings(env: NodeJS.ProcessEnv = process.env): Surroundings {
  const { node, v8, uv } = process.versions;
  const packages = PACKAGES.map((name) => [name, versionOf(name)] as const);
  return {
    versions: {
      tailmix: version,
      node,
      v8: v8 ?? null,
      uv: uv ?? null,
      '@tensorflow/tfjs': tf.version_core,
      ...Object.fromEntries(packages),
    },
    machine: {
      system: `${type()} ${release()} ${machine()}`,
      cores: availableParallelism(),
      memory: totalmem(),
      freeMemory: freemem(),
    },
    environment: Object.fromEntries(
      Object.entries(env)
        .filter((entry): entry is [string, string] => HEEDED.test(entry[0]) && entry[1] !== undefined)
        .sort(),
    ),
  };
}

/** The version of an installed package, found by its files, since not each exports its package.json. */
function versionOf(name: string): string | null {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (require(`${folder}/${name}/package.json`) as { version: string }).version;
    } catch {}
  }
  return null;
}
