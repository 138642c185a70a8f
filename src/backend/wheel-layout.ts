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

/** Libraries of a wheel of NVIDIA, and the two files of its compiler that TensorFlow may use: its assembler and device library. */
const CUDA = /^nvidia\/(?:\w+\/lib\/[\w.-]+\.so(?:\.\d+)*|cuda_nvcc\/(?:bin\/ptxas|nvvm\/libdevice\/[\w.]+\.bc))$/;

/** Of NVIDIA's wheels; members keep their paths. */
export const CUDA_LAYOUT: Layout = { destinationOf: (member) => (CUDA.test(member) ? member : null), required: [] };

/** The version in a wheel's file name if it is of this project and for a target, else `null`; any Python version serves. */
export function versionOfWheel(filename: string, project: string, { tag }: Target): string | null {
  if (!filename.endsWith('.whl')) return null;
  const [name, version, ...tags] = filename.slice(0, -'.whl'.length).split('-');
  const platform = tags.at(-1) ?? '';
  const fits = name?.toLowerCase().replace(/[-_.]+/g, '-') === project && tag.test(platform);
  return fits ? version! : null;
}

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
