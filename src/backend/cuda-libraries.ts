import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** CUDA's libraries in a native build, relative to it, sorted; empty if it has none. */
export function cudaLibraries(folder: string): string[] {
  const nvidia = join(folder, 'nvidia');
  return namesIn(nvidia)
    .flatMap((part) => namesIn(join(nvidia, part, 'lib')).map((library) => join('nvidia', part, 'lib', library)))
    .sort();
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
