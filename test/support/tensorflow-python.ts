import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { cacheRoot } from '../../src/backend/paths.ts';

/** A Python that has TensorFlow and Pillow, as `.ci/run` installs it; undefined where there is none. */
export const tensorflowPython = [
  process.env.TAILMIX_TEST_PYTHON,
  join(cacheRoot(), 'test', 'tensorflow', 'bin', 'python'),
].find((path) => path !== undefined && existsSync(path));

if (tensorflowPython === undefined) {
  console.warn('SKIPPED: exported SavedModels are not loaded in Python, there is no TensorFlow (TAILMIX_TEST_PYTHON).');
}
