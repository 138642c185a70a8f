import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import process from 'node:process';
import { driverFindings, MIN_DRIVERS } from './doctor-gpu.ts';
import type { Finding } from './finding.ts';
import { installedPlugins } from './installed-plugins.ts';
import { cacheRoot } from './paths.ts';
import { clientOptions, NO_DEVICE, type OpenedPlugin, openingCure, pjrtModulePath } from './pjrt-module.ts';
import { lastLines, runCommand } from './run-command.ts';

type Memory = { used: number; limit?: number };

/** What the process prints that opens a plugin. */
type Opened = (OpenedPlugin & { memory: Memory | null }) | { error: string; code?: string };

/** Prints a line of JSON, behind whatever the plugin prints itself. */
const OPEN = `const [path, plugin, options] = process.argv.slice(1);
let found;
try {
  const pjrt = require(path);
  found = { ...pjrt.open(plugin, JSON.parse(options)), memory: null };
  try { found.memory = pjrt.memory(found.id, 0); } catch {}
} catch (error) { found = { error: error.message, code: error.code }; }
process.stdout.write('\\n' + JSON.stringify(found) + '\\n');`;

/**
 * Plugin, version of its C interface, devices and memory settings, where `TAILMIX_PJRT` names a plugin or one is set up; nothing
 * elsewhere. A process of its own opens it: a plugin may abort, and holds its device.
 *
 * @param folder - of the native build, which has the module that opens plugins.
 */
export async function deviceFindings(folder: string, env: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  const named = env.TAILMIX_PJRT ? resolve(env.TAILMIX_PJRT) : null;
  const plugin = named ?? installedPlugins(cacheRoot(env))[0]?.plugin;
  if (plugin === undefined) return [];
  const driver = /cuda/.test(basename(plugin))
    ? await driverFindings(env, MIN_DRIVERS[/cuda13/.test(plugin) ? 13 : 12])
    : [];
  // Runs pass over a plugin that was set up and finds no device, and fail with one that is named.
  const problem = (why: string, cure: string): Finding[] => [
    {
      name: 'device',
      status: named ? 'problem' : 'note',
      value: why.startsWith(plugin) ? why : `${plugin}: ${why}`,
      cure,
    },
    ...driver,
  ];
  const module = pjrtModulePath(folder);
  if (!existsSync(module)) return problem('what opens PJRT plugins is not compiled', 'run `tailmix setup`');
  const memoryOptions = clientOptions(plugin, env);
  const options = JSON.stringify(memoryOptions);
  const { stdout, stderr } = await runCommand([process.execPath, '-e', OPEN, module, plugin, options], { env });
  const opened = openedIn(stdout);
  const cure = `check the plugin and its driver, or ${named ? 'unset TAILMIX_PJRT' : 'train with --device cpu'}`;
  if (opened === null) return problem(lastLines(stderr) || 'it ended the process', cure);
  if ('error' in opened) return problem(opened.error.trim(), openingCure(opened.code) ?? cure);
  if (opened.devices.length === 0) return problem('it finds no device', openingCure(NO_DEVICE)!);
  const { platform, platformVersion, apiMinor, devices, memory } = opened;
  const names = new Set([platform, ...devices.map(({ kind }) => kind)]);
  const count = devices.length === 1 ? '1 device' : `${devices.length} devices, runs compute on the first`;
  const value = [[...names].join(', '), count, ...(memory === null ? [] : [room(memory)])].join('; ');
  return [
    { name: 'device', status: 'ok', value },
    {
      name: 'PJRT plugin',
      status: 'ok',
      value: `${plugin}; PJRT 0.${apiMinor}, ${platformVersion.replaceAll(/\s*\n\s*/g, ', ')}`,
    },
    ...memoryFindings(memoryOptions),
    ...driver,
  ];
}

const memoryFindings = ({ preallocate, memory_fraction: fraction }: ReturnType<typeof clientOptions>): Finding[] =>
  preallocate === undefined
    ? []
    : [
        {
          name: 'device memory',
          status: 'ok',
          value: preallocate ? `${fraction} of it taken at once (TAILMIX_PJRT_MEMORY)` : 'taken as it is needed',
        },
      ];

function openedIn(stdout: string): Opened | null {
  try {
    return JSON.parse(lastLines(stdout)) as Opened;
  } catch {
    return null;
  }
}

const GIGABYTE = 2 ** 30;
const room = ({ used, limit }: Memory): string =>
  limit === undefined
    ? 'it does not tell its memory'
    : `${((limit - used) / GIGABYTE).toFixed(1)} of ${(limit / GIGABYTE).toFixed(1)} GiB free`;
