import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { installedPlugins } from './installed-plugins.ts';
import { cacheRoot, nativeFolder } from './paths.ts';
import { clientOptions, NO_DEVICE, type OpenedPlugin, openingCure, pjrtModulePath } from './pjrt-module.ts';
import { lastLines, runCommand } from './run-command.ts';

/** Bytes of a device's memory. */
export type DeviceMemory = { used: number; limit?: number };

/** A plugin as a process of its own found it. */
export type OpenedApart = { plugin: string } & (
  | { opened: OpenedPlugin & { memory: DeviceMemory | null } }
  | {
      /** Why it cannot be used. */
      why: string;
      /** What to do about it; null where nobody can tell. */
      cure: string | null;
    }
);

/** Prints a line of JSON, behind whatever the plugin prints itself. */
const OPEN = `const [path, plugin, options] = process.argv.slice(1);
let found;
try {
  const pjrt = require(path);
  found = { ...pjrt.open(plugin, JSON.parse(options)), memory: null };
  try { found.memory = pjrt.memory(found.id, 0); } catch {}
} catch (error) { found = { error: error.message, code: error.code }; }
process.stdout.write('\\n' + JSON.stringify(found) + '\\n');`;

/** The plugin that `TAILMIX_PJRT` names, or those that are set up, the preferred one first. */
const pluginsInTurn = (env: NodeJS.ProcessEnv = process.env): string[] =>
  env.TAILMIX_PJRT ? [resolve(env.TAILMIX_PJRT)] : installedPlugins(cacheRoot(env)).map(({ plugin }) => plugin);

/**
 * Opens plugins one after the other, up to the first that finds a device: the one that runs take. A process of its own opens each: a
 * plugin may abort, and holds its device.
 *
 * @param folder - of the native build, which has the module that opens plugins.
 * @param plugins - Default: those of this machine.
 */
export async function openInTurn(
  folder: string,
  env: NodeJS.ProcessEnv = process.env,
  plugins = pluginsInTurn(env),
): Promise<OpenedApart[]> {
  const tried: OpenedApart[] = [];
  for (const plugin of plugins) {
    tried.push(await openApart(plugin, folder, env));
    if ('opened' in tried.at(-1)!) break;
  }
  return tried;
}

async function openApart(plugin: string, folder: string, env: NodeJS.ProcessEnv): Promise<OpenedApart> {
  const module = pjrtModulePath(folder);
  if (!existsSync(module)) {
    return { plugin, why: 'what opens PJRT plugins is not compiled', cure: 'run `tailmix setup`' };
  }
  const options = JSON.stringify(clientOptions(plugin, env));
  const { stdout, stderr } = await runCommand([process.execPath, '-e', OPEN, module, plugin, options], { env });
  const found = foundIn(stdout);
  if (found === null) return { plugin, why: lastLines(stderr) || 'it ended the process', cure: null };
  if ('error' in found) return { plugin, why: found.error.trim(), cure: openingCure(found.code) ?? null };
  if (found.devices.length === 0) return { plugin, why: 'it finds no device', cure: openingCure(NO_DEVICE)! };
  return { plugin, opened: found };
}

type Found = (OpenedPlugin & { memory: DeviceMemory | null }) | { error: string; code?: string };

function foundIn(stdout: string): Found | null {
  try {
    return JSON.parse(lastLines(stdout)) as Found;
  } catch {
    return null;
  }
}

/** The places of all devices of the plugin that runs take; the first, where it cannot be opened: a run says why. */
export async function devicePlaces(env: NodeJS.ProcessEnv = process.env): Promise<number[]> {
  const last = (await openInTurn(nativeFolder('native'), env)).at(-1);
  return last && 'opened' in last ? last.opened.devices.map((_, place) => place) : [0];
}
