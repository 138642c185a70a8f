import { basename } from 'node:path';
import process from 'node:process';
import { driverFindings, MIN_DRIVERS } from './doctor-gpu.ts';
import type { Finding } from './finding.ts';
import { type DeviceMemory, type OpenedApart, openInTurn } from './open-apart.ts';
import { clientOptions } from './pjrt-module.ts';

/**
 * Plugin, version of its C interface, devices and memory settings, where `TAILMIX_PJRT` names a plugin or some are set up; nothing
 * elsewhere. As runs do, it goes on to the next plugin where one finds no device.
 *
 * @param folder - of the native build, which has the module that opens plugins.
 */
export async function deviceFindings(folder: string, env: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  const tried = await openInTurn(folder, env);
  const taken = tried.find((found) => 'opened' in found) ?? tried[0];
  const least = taken && minimumDriver(taken.plugin);
  return [...tried.flatMap((found) => findingsOf(found, env)), ...(least ? await driverFindings(env, least) : [])];
}

/** Of NVIDIA's plugins. */
const minimumDriver = (plugin: string): string | null =>
  /cuda/.test(basename(plugin)) ? MIN_DRIVERS[/cuda13/.test(plugin) ? 13 : 12] : null;

function findingsOf(found: OpenedApart, env: NodeJS.ProcessEnv): Finding[] {
  const { plugin } = found;
  const isNamed = Boolean(env.TAILMIX_PJRT);
  if ('why' in found) {
    const { why, cure } = found;
    return [
      {
        name: 'device',
        // Runs pass over a plugin that was set up and finds no device, and fail with one that is named.
        status: isNamed ? 'problem' : 'note',
        value: why.startsWith(plugin) ? why : `${plugin}: ${why}`,
        cure:
          cure ?? `check the plugin and its driver, or ${isNamed ? 'unset TAILMIX_PJRT' : 'train with --device cpu'}`,
      },
    ];
  }
  const { platform, platformVersion, apiMinor, devices, memory } = found.opened;
  const names = new Set([platform, ...devices.map(({ kind }) => kind)]);
  const count =
    devices.length === 1
      ? '1 device'
      : `${devices.length} devices, of which a run takes the first, or those of --device pjrt:0,1`;
  const value = [[...names].join(', '), count, ...(memory === null ? [] : [room(memory)])].join('; ');
  return [
    { name: 'device', status: 'ok', value },
    {
      name: 'PJRT plugin',
      status: 'ok',
      value: `${plugin}; PJRT 0.${apiMinor}, ${platformVersion.replaceAll(/\s*\n\s*/g, ', ')}`,
    },
    ...memoryFindings(clientOptions(plugin, env)),
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

const GIGABYTE = 2 ** 30;
const room = ({ used, limit }: DeviceMemory): string =>
  limit === undefined
    ? 'it does not tell its memory'
    : `${((limit - used) / GIGABYTE).toFixed(1)} of ${(limit / GIGABYTE).toFixed(1)} GiB free`;
