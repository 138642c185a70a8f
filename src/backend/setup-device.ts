import { statSync, writeFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { makeBuild } from './build-folder.ts';
import { installCuda } from './cuda.ts';
import { fromNotUsable, unsupported } from './errors.ts';
import {
  type DeviceName,
  folderOf,
  type InstalledPlugin,
  PLUGINS,
  type PluginStamp,
  readInstalled,
} from './installed-plugins.ts';
import { cacheRoot, stampPath } from './paths.ts';
import { currentPlatform, whyUnsupported } from './platform.ts';
import { removeDownloads, type SetupOptions, wheelsFor } from './setup.ts';
import { targetOf } from './target.ts';
import { unpackMembers } from './wheel.ts';
import { pluginLayout } from './wheel-layout.ts';

/**
 * Sets up the PJRT plugin for a kind of device: its wheel, and the wheels of NVIDIA that JAX's metadata name, in the folders
 * where the plugin looks for them. AMD's libraries are on no public index: its plugin looks for them in `/opt/rocm/lib`.
 *
 * @throws {TailmixError} PLATFORM_UNSUPPORTED, FROM, WHEEL_NOT_FOUND, WHEEL_DAMAGED, WHEEL_WITHOUT, CACHE_UNUSABLE, DISK_FULL
 */
export async function setUpDevicePlugin(name: DeviceName, options: SetupOptions = {}): Promise<InstalledPlugin> {
  const {
    from,
    force = false,
    root = cacheRoot(),
    env = process.env,
    onStage = () => {},
    onBytes = () => {},
  } = options;
  const platform = options.platform ?? currentPlatform();
  const { version, library, extra, neededMb } = PLUGINS[name];
  const folder = folderOf(name, root, platform);
  const ready = (): InstalledPlugin | null => (force ? null : readInstalled(name, folder));
  const there = ready();
  if (there !== null) return there;
  const why = platform.os === 'linux' ? whyUnsupported(platform) : `PJRT plugins for ${name} are published for Linux.`;
  if (why !== null) throw unsupported(why);
  const target = targetOf(platform.os, platform.arch)!;
  const given = from === undefined ? null : await folderIn(resolve(from));
  if (from !== undefined && given === null) throw fromNotUsable(from, `jax-${name}-pjrt`, version, target.label);
  const obtain = wheelsFor({ target, root, given, env, onBytes });
  const make = async (work: string): Promise<InstalledPlugin> => {
    onStage(`fetching jax-${name}-pjrt ${version}`);
    const wheels = [await obtain({ project: `jax-${name}-pjrt`, specifier: version })];
    onStage('unpacking the plugin');
    await unpackMembers(wheels[0]!.path, work, pluginLayout(library), onBytes);
    if (extra !== null) {
      const named = await obtain({ project: `jax-${name}-plugin`, specifier: version });
      wheels.push(named, ...(await installCuda({ wheel: named.path, extra }, work, obtain, onStage)));
    }
    const stamp: PluginStamp = {
      wheels: wheels.map(({ path }) => basename(path)),
      createdAt: new Date().toISOString(),
      sizes: await sizesIn(work),
    };
    writeFileSync(stampPath(work), `${JSON.stringify(stamp, null, 2)}\n`);
    await removeDownloads(root, wheels);
    return { name, plugin: join(folder, library), folder, changed: true };
  };
  return makeBuild({ folder, root, neededMb, ready, make, onStage });
}

/** The folder of wheels that a file or folder stands for; null: there is none. */
async function folderIn(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  return found && (found.isDirectory() ? path : dirname(path));
}

async function sizesIn(folder: string): Promise<Record<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(files.sort().map((file) => [file.slice(folder.length + 1), statSync(file).size]));
}
