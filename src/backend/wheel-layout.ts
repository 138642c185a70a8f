import { join } from 'node:path';
import { compareVersions, fitsSpecifier } from './specifier.ts';
import type { Target } from './target.ts';

/** What is unpacked of a wheel. */
export interface Layout {
  /** Where a member goes, relative to the build's folder; `null` if it is not unpacked. */
  destinationOf(member: string): string | null;
  /** Members that must be there. */
  required: readonly string[];
}

/** Folders of headers that TensorFlow's C API (`tensorflow/c/c_api.h`, `eager/c_api.h`) includes. */
const HEADERS = /^tensorflow\/include\/(?:tensorflow\/c|tensorflow\/core\/platform|tsl\/platform|xla\/tsl\/c)\/.*\.h$/;

/** Header of PJRT's C interface, which stays beside the libraries: `native/pjrt.cc` is compiled with it. */
export const PJRT_HEADER = 'pjrt_c_api.h';

const PJRT_MEMBER = `tensorflow/include/xla/pjrt/c/${PJRT_HEADER}`;

/** The header alone, to the folder itself. */
export const PJRT_HEADER_LAYOUT: Layout = {
  destinationOf: (member) => (member === PJRT_MEMBER ? PJRT_HEADER : null),
  required: [PJRT_MEMBER],
};

/** Where a member of a target's wheel goes: libraries to `lib/`, headers to `include/`; `null` for all the rest. */
export function destinationOf(member: string, { libraries }: Target): string | null {
  const library = Object.values(libraries).find((name) => member === `tensorflow/${name}`);
  if (library !== undefined) return join('lib', library);
  if (member === PJRT_MEMBER) return join('lib', PJRT_HEADER);
  return HEADERS.test(member) ? member.slice('tensorflow/'.length) : null;
}

/** Of TensorFlow's wheel for a target. */
export const tensorflowLayout = (target: Target): Layout => ({
  destinationOf: (member) => destinationOf(member, target),
  required: Object.values(target.libraries).map((library) => `tensorflow/${library}`),
});

/** Libraries of a wheel of NVIDIA, and what XLA runs or reads of its compiler: assembler, linkers, device library. */
const CUDA =
  /^nvidia\/\w+\/(?:lib\/[\w.-]+\.so(?:\.\d+)*|bin\/(?:ptxas|nvlink|fatbinary)|nvvm\/libdevice\/[\w.]+\.bc)$/;

/** Of NVIDIA's wheels; members keep their paths. */
export const CUDA_LAYOUT: Layout = { destinationOf: (member) => (CUDA.test(member) ? member : null), required: [] };

/** Of the wheel of a PJRT plugin: the plugin, two folders deep, from where it looks for its vendor's libraries. */
export const pluginLayout = (library: string): Layout => ({
  destinationOf: (member) => (member === library ? member : null),
  required: [library],
});

/** The version in a wheel's file name if it is of this project and for a target, else `null`; any Python version serves. */
export function versionOfWheel(filename: string, project: string, { tag }: Target): string | null {
  if (!filename.endsWith('.whl')) return null;
  const [name, version, ...tags] = filename.slice(0, -'.whl'.length).split('-');
  const platform = tags.at(-1) ?? '';
  const fits = name !== undefined && normalized(name) === normalized(project) && tag.test(platform);
  return fits ? version! : null;
}

/** A project's name as an index compares it. */
const normalized = (project: string): string => project.toLowerCase().replace(/[-_.]+/g, '-');

/** Of some file names, the wheel of this project and the newest version that fits; of several, the first by name. */
export function findWheel<File>(
  files: readonly File[],
  nameOf: (file: File) => string,
  { project, version, target }: { project: string; version: string; target: Target },
): File | undefined {
  const fitting = files.flatMap((file) => {
    const found = versionOfWheel(nameOf(file), project, target);
    return found !== null && fitsSpecifier(found, version) ? [{ file, found, name: nameOf(file) }] : [];
  });
  return fitting.sort((a, b) => compareVersions(b.found, a.found) || (a.name < b.name ? -1 : 1))[0]?.file;
}
