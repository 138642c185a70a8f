import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { cacheRoot, stampPath } from './paths.ts';

/** Kinds of devices that `tailmix setup --device` sets a plugin up for, the preferred one first. */
export const deviceNames = ['cuda13', 'cuda12', 'rocm7'] as const;
export type DeviceName = (typeof deviceNames)[number];

/** A plugin, and where it comes from. */
interface DevicePlugin {
  /** Version of both wheels: PJRT 0.116, which tailmix was tried with as far as a machine without a GPU allows. */
  version: string;
  /** The plugin in the wheel `jax-NAME-pjrt`. */
  library: string;
  /** Extra of the wheel `jax-NAME-plugin` that names the vendor's wheels; null: they are on no public index. */
  extra: string | null;
  /** Room that a set-up needs at most, in MB. */
  neededMb: number;
}

const cuda = (name: string): DevicePlugin => ({
  version: '0.12.0.1',
  library: `jax_plugins/xla_${name}/xla_cuda_plugin.so`,
  extra: 'with-cuda',
  neededMb: 9000,
});

/** What JAX publishes for each. */
export const PLUGINS: Readonly<Record<DeviceName, DevicePlugin>> = {
  cuda13: cuda('cuda13'),
  cuda12: cuda('cuda12'),
  rocm7: { version: '0.12.0', library: 'jax_plugins/xla_rocm7/xla_rocm_plugin.so', extra: null, neededMb: 1000 },
};

/** A plugin that is set up. */
export interface InstalledPlugin {
  name: DeviceName;
  /** Path of its library. */
  plugin: string;
  folder: string;
  changed: boolean;
}

/** What `stamp.json` says of a plugin's folder. */
export interface PluginStamp {
  /** File names of the wheels. */
  wheels: string[];
  /** ISO 8601. */
  createdAt: string;
  /** Bytes of each file. */
  sizes: Record<string, number>;
}

/** Where a plugin lives: its version and the machine are in the name. */
export const folderOf = (name: DeviceName, root: string, { os, arch }: { os: string; arch: string }): string =>
  join(root, `device-${name}-${PLUGINS[name].version}-${os}-${arch}`);

/** The plugins that are set up and whole, the preferred one first. */
export const installedPlugins = (
  root: string = cacheRoot(),
  machine: { os: string; arch: string } = { os: process.platform, arch: process.arch },
) =>
  deviceNames.flatMap((name): InstalledPlugin[] => {
    const installed = readInstalled(name, folderOf(name, root, machine));
    return installed === null ? [] : [installed];
  });

/** A plugin's folder, if it is whole. */
export function readInstalled(name: DeviceName, folder: string): InstalledPlugin | null {
  try {
    const { sizes } = JSON.parse(readFileSync(stampPath(folder), 'utf8')) as PluginStamp;
    const isWhole = Object.entries(sizes).every(([file, size]) => statSync(join(folder, file)).size === size);
    return isWhole ? { name, plugin: join(folder, PLUGINS[name].library), folder, changed: false } : null;
  } catch {
    return null;
  }
}
