import { resolve } from 'node:path';
import process from 'node:process';
import { installedPlugins } from '../backend/installed-plugins.ts';
import { clientOptions } from '../backend/pjrt-module.ts';
import { TailmixError } from '../errors.ts';
import { type DeviceChoice, selectionOf } from './choice.ts';
import { type Device, openDevice } from './device.ts';
import { pluginMissing } from './errors.ts';

/**
 * The device that a run computes on, or several; null for TensorFlow on the CPU.
 *
 * @throws {TailmixError} PJRT_MISSING, PJRT_MODULE, PJRT_PLUGIN where one was asked for, by `pjrt` or by `TAILMIX_PJRT`; PJRT_DEVICE
 *   for one that the plugin does not have. A plugin of `tailmix setup --device` that nobody asked for and that finds no device is passed
 *   over: `tailmix doctor` says why.
 */
export function chooseDevice(choice: DeviceChoice, env: NodeJS.ProcessEnv = process.env): Device | null {
  if (choice === 'cpu') return null;
  const selection = selectionOf(choice);
  const named = selection === 'all' ? undefined : selection;
  const open = (plugin: string): Device => openDevice(plugin, clientOptions(plugin, env, named), selection);
  if (env.TAILMIX_PJRT) return open(resolve(env.TAILMIX_PJRT));
  let refused: unknown = pluginMissing();
  for (const [i, { plugin }] of installedPlugins().entries()) {
    try {
      return open(plugin);
    } catch (error) {
      if (!(error instanceof TailmixError)) throw error;
      if (i === 0) refused = error;
    }
  }
  if (choice !== undefined) throw refused;
  return null;
}
