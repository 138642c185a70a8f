import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { cudaLibraries } from './cuda-libraries.ts';
import { bindingPath, quietLoaderPath, stampPath, TFJS_NODE_VERSION } from './paths.ts';
import { ownTarget, type Target } from './target.ts';

/** What `stamp.json` records of a complete native build. */
export interface Stamp {
  /** Version that the loaded library reports. */
  tensorflow: string;
  tfjsNode: string;
  /** Node that checked the build, for example `v20.20.2`. */
  node: string;
  compiler: string;
  /** File name of the wheel. */
  wheel: string;
  /** File names of the wheels of CUDA, for a GPU build. */
  cuda: string[];
  /** ISO 8601. */
  createdAt: string;
  /** Bytes of each file that is loaded. */
  sizes: Record<string, number>;
}

/** The stamp of a complete native build, or `null` if there is none or a file is missing or cut short. */
export function readStamp(folder: string, target: Target = ownTarget()): Stamp | null {
  try {
    const stamp = JSON.parse(readFileSync(stampPath(folder), 'utf8')) as Stamp;
    const sizes = fileSizes(folder, target);
    const files = new Set([...Object.keys(stamp.sizes), ...Object.keys(sizes)]);
    return [...files].every((file) => stamp.sizes[file] === sizes[file]) ? stamp : null;
  } catch {
    return null;
  }
}

/** Declares the build in `folder` complete. */
export function writeStamp(
  folder: string,
  made: Pick<Stamp, 'tensorflow' | 'compiler' | 'wheel' | 'cuda'>,
  target: Target = ownTarget(),
): Stamp {
  const stamp: Stamp = {
    ...made,
    tfjsNode: TFJS_NODE_VERSION,
    node: process.version,
    createdAt: new Date().toISOString(),
    sizes: fileSizes(folder, target),
  };
  writeFileSync(stampPath(folder), `${JSON.stringify(stamp, null, 2)}\n`);
  return stamp;
}

function fileSizes(folder: string, { libraries }: Target): Record<string, number> {
  const files = [
    ...Object.values(libraries).map((library) => join(folder, 'lib', library)),
    bindingPath(folder),
    quietLoaderPath(folder),
    ...cudaLibraries(folder).map((library) => join(folder, library)),
  ];
  return Object.fromEntries(files.map((file) => [file.slice(folder.length + 1), statSync(file).size]));
}
