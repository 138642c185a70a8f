import { join } from 'node:path';
import type { Target } from './target.ts';

/** Folders of headers that TensorFlow's C API (`tensorflow/c/c_api.h`, `eager/c_api.h`) includes. */
const HEADERS = /^tensorflow\/include\/(?:tensorflow\/c|tensorflow\/core\/platform|tsl\/platform|xla\/tsl\/c)\/.*\.h$/;

/** Where a member of a target's wheel goes: libraries to `lib/`, headers to `include/`; `null` for all the rest. */
export function destinationOf(member: string, { libraries }: Target): string | null {
  const library = Object.values(libraries).find((name) => member === `tensorflow/${name}`);
  if (library !== undefined) return join('lib', library);
  return HEADERS.test(member) ? member.slice('tensorflow/'.length) : null;
}

/** Whether a file name is a wheel of this project and version for a target; any Python version serves. */
export function isWheelFor(filename: string, project: string, version: string, { tag }: Target): boolean {
  if (!filename.endsWith('.whl')) return false;
  const [name, found, ...tags] = filename.slice(0, -'.whl'.length).split('-');
  const platform = tags.at(-1) ?? '';
  return name?.toLowerCase().replace(/[-_.]+/g, '-') === project && found === version && tag.test(platform);
}
