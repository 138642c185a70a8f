import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf } from '../errors.ts';
import { bytesOf } from '../util/bytes-of.ts';
import { hasClusterModule } from './cluster-module.ts';
import { findCompiler } from './compile.ts';
import { customOpsVariant, whyNotCustomOps } from './custom-ops.ts';
import type { Finding } from './finding.ts';
import { whyNotNative } from './native.ts';
import { cacheRoot, type NativeName, nativeFolder } from './paths.ts';
import { readStamp } from './stamp.ts';

/** Whether each native build is set up; the GPU build is mentioned only where it is. */
export function nativeFindings(root: string = cacheRoot()): Finding[] {
  const names: NativeName[] = existsSync(nativeFolder('native-gpu', root)) ? ['native', 'native-gpu'] : ['native'];
  return names.map((name) => {
    const title = name === 'native' ? 'native build' : 'native GPU build';
    const folder = nativeFolder(name, root);
    const why = whyNotNative(name, folder);
    if (why !== null) return { name: title, status: 'note', value: `not available: ${why}` };
    const { tensorflow, tfjsNode, createdAt } = readStamp(folder)!;
    return {
      name: title,
      status: 'ok',
      value: `TensorFlow ${tensorflow}, tfjs-node ${tfjsNode}, ${createdAt.slice(0, 10)}`,
    };
  });
}

/** Whether tailmix's custom ops are used with the native build in `folder`. */
export function customOpsFinding(folder: string): Finding {
  const why = whyNotCustomOps(folder);
  if (why === null)
    return {
      name: 'custom ops',
      status: 'ok',
      value: `${customOpsVariant(folder)}: convolutions, batch norm with its neighbours, update`,
    };
  return { name: 'custom ops', status: 'note', value: `not used, training is slower: ${why}` };
}

/** Whether `--cluster` has its module in the native build in `folder`. */
export function clusterFinding(folder: string): Finding {
  const name = 'clusters';
  if (hasClusterModule(folder))
    return { name, status: 'ok', value: 'the module of `tailmix train --cluster` is compiled' };
  const cure = 'tailmix setup compiles it; one machine does without';
  return { name, status: 'note', value: 'the module of `tailmix train --cluster` is not compiled', cure };
}

/** The compiler that `tailmix setup` would use. */
export async function compilerFinding(env?: NodeJS.ProcessEnv): Promise<Finding> {
  try {
    return { name: 'compiler', status: 'ok', value: (await findCompiler(env)).join(' ') };
  } catch (error) {
    return { name: 'compiler', status: 'note', value: messageOf(error) };
  }
}

/** The cache folder, its size, and what in it is of no use to this version. */
export async function cacheFinding(root: string = cacheRoot()): Promise<Finding> {
  const title = 'cache';
  if (!existsSync(root)) return { name: title, status: 'ok', value: `${root}, empty` };
  const used = [nativeFolder('native', root), nativeFolder('native-gpu', root)];
  const ours = (await readdir(root)).filter((entry) => /^(native(-gpu)?-tf|downloads$)/.test(entry));
  const spare = ours.map((entry) => join(root, entry)).filter((path) => !used.includes(path));
  const megabytes = async (paths: string[]): Promise<number> =>
    Math.round((await Promise.all(paths.map(bytesOf))).reduce((a, b) => a + b, 0) / 1e6);
  const value = `${root}, ${await megabytes([root])} MB`;
  const spareMb = await megabytes(spare);
  if (spareMb === 0) return { name: title, status: 'ok', value };
  const cure = `${spareMb} MB are downloads or builds of other versions; remove with: tailmix cache clean ${spare.map((path) => basename(path)).join(' ')}`;
  return { name: title, status: 'note', value, cure };
}
