import { join, resolve } from 'node:path';
import process from 'node:process';
import { cacheRoot } from '../backend/paths.ts';

/** Folder of the data: the option, else `TAILMIX_DATA`, else `data` in the per-user cache folder. Absolute. */
export const dataRoot = (root: string | undefined, env: NodeJS.ProcessEnv = process.env): string =>
  resolve(root ?? (env.TAILMIX_DATA || join(cacheRoot(env), 'data')));

/** Folder of packed files, in the per-user cache folder. */
export const packedRoot = (env: NodeJS.ProcessEnv = process.env): string => join(cacheRoot(env), 'packed');
