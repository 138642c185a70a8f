import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';

/** Version of `@tensorflow/tfjs-node` (and `-gpu`) that is installed; its binding is compiled against the wheel. */
export const TFJS_NODE_VERSION = '4.22.0';

/** Version of the TensorFlow wheel whose C library is used. */
export const TENSORFLOW_VERSION = '2.21.0';

/** The two native builds; WASM needs no install. */
export type NativeName = 'native' | 'native-gpu';

/** The npm package behind each native build. */
export const NATIVE_PACKAGES: Record<NativeName, string> = {
  native: '@tensorflow/tfjs-node',
  'native-gpu': '@tensorflow/tfjs-node-gpu',
};

/** The per-user cache folder: `TAILMIX_CACHE`, else `tailmix` under `XDG_CACHE_HOME`, else `~/.cache/tailmix`. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TAILMIX_CACHE) return resolve(env.TAILMIX_CACHE);
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tailmix');
}

/** Where one native build lives; versions and machine are in the name, so that an upgrade never mixes two. */
export function nativeFolder(
  name: NativeName,
  root: string = cacheRoot(),
  { os, arch }: { os: string; arch: string } = { os: process.platform, arch: process.arch },
): string {
  return join(root, `${name}-tf${TENSORFLOW_VERSION}-tfjs${TFJS_NODE_VERSION}-${os}-${arch}`);
}

/** The compiled binding inside {@link nativeFolder}. */
export const bindingPath = (folder: string): string => join(folder, 'lib', 'tfjs_binding.node');

/** The compiled module inside {@link nativeFolder} that loads TensorFlow's library without its messages. */
export const quietLoaderPath = (folder: string): string => join(folder, 'lib', 'quiet_loader.node');

/** The stamp inside {@link nativeFolder}: written last, so that its presence means a complete build. */
export const stampPath = (folder: string): string => join(folder, 'stamp.json');
