import { join } from 'node:path';

/** Files of TensorFlow's C library, in the wheel's folder `tensorflow/`; they find each other in one folder. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** Folders of headers that TensorFlow's C API (`tensorflow/c/c_api.h`, `eager/c_api.h`) includes. */
const HEADERS = /^tensorflow\/include\/(?:tensorflow\/c|tensorflow\/core\/platform|tsl\/platform|xla\/tsl\/c)\/.*\.h$/;

/** Where a member of the wheel goes: libraries to `lib/`, headers to `include/`; `null` for all the rest. */
export function destinationOf(member: string): string | null {
  const library = LIBRARIES.find((name) => member === `tensorflow/${name}`);
  if (library !== undefined) return join('lib', library);
  return HEADERS.test(member) ? member.slice('tensorflow/'.length) : null;
}

/** Whether a file name is a wheel of this project and version for Linux on x86-64; any Python version serves. */
export function isWheelFor(filename: string, project: string, version: string): boolean {
  if (!filename.endsWith('.whl')) return false;
  const [name, found, ...tags] = filename.slice(0, -'.whl'.length).split('-');
  const platform = tags.at(-1) ?? '';
  return (
    name?.toLowerCase().replace(/[-_.]+/g, '-') === project &&
    found === version &&
    platform.includes('linux') &&
    platform.includes('x86_64')
  );
}
