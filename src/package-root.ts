import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Folder of the running tailmix package. */
export const packageRoot: string = dirname(createRequire(import.meta.url).resolve('tailmix/package.json'));

/** The launcher, for child processes. */
export const launcher: string = join(packageRoot, 'bin', 'tailmix.mjs');

/** C++ sources of what is compiled into a native build, shipped with the package. */
export const nativeSources: string = join(packageRoot, 'native');
