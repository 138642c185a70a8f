import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { beforeAll, describe } from 'vitest';
import { type Backend, loadBackend } from '../../src/backend/load.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { cacheRoot } from '../../src/backend/paths.ts';
import { hasPjrtModule } from '../../src/backend/pjrt-module.ts';
import { type Device, openDevice } from '../../src/pjrt/index.ts';

/** `TAILMIX_PJRT`, or the plugin of PyPI's lammps-jax-pjrt-cpu that `.ci/run` puts into the cache. */
export const plugin =
  process.env.TAILMIX_PJRT ||
  join(cacheRoot(), 'test', 'lammps-jax-pjrt-cpu', 'lammps_jax_pjrt_cpu', 'pjrt_c_api_cpu_plugin.so');

/** Why devices cannot be tested here; null if they can. */
export const missing =
  whyNotNative('native') ??
  (hasPjrtModule() ? null : 'native/pjrt.cc is not compiled: run `tailmix setup` with TAILMIX_PJRT set') ??
  (existsSync(plugin) ? null : 'there is no plugin: set TAILMIX_PJRT, or run .ci/run');
if (missing !== null) console.warn(`SKIPPED: devices are not tested, ${missing}`);

/** Tests on a plugin's first device; `use()` gives it inside a test. */
export function describeDevice(
  title: string,
  tests: (use: () => { backend: Backend; device: Device }) => void,
  why = missing,
): void {
  describe.skipIf(why !== null)(title, () => {
    let backend: Backend;
    let device: Device;
    beforeAll(async () => {
      backend = await loadBackend('native');
      device = openDevice(plugin);
    });
    tests(() => ({ backend, device }));
  });
}

/** Tests on four devices of a plugin: those that the one for processors finds where nothing says how many. */
export function describeDevices(title: string, tests: () => void): void {
  const count = missing === null ? openDevice(plugin, {}, 'all').count : 0;
  const few = count < 4 ? `${plugin} has ${count} of 4 devices` : null;
  if (missing === null && few) console.warn(`SKIPPED: several devices are not tested, ${few}`);
  describeDevice(title, tests, missing ?? few);
}
