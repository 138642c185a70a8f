import { resolve } from 'node:path';
import process from 'node:process';
import { clientOptions } from '../backend/pjrt-module.ts';
import { type Device, openDevice } from './device.ts';
import { pluginMissing } from './errors.ts';

/** What `train.device` asks for; undefined takes a device where a plugin is set up. */
export type DeviceChoice = 'cpu' | 'pjrt' | undefined;

/**
 * The device that a run computes on; null for TensorFlow on the CPU.
 *
 * @throws {TailmixError} PJRT_MISSING, PJRT_MODULE, PJRT_PLUGIN where one was asked for, by `pjrt` or by `TAILMIX_PJRT`.
 */
export function chooseDevice(choice: DeviceChoice, env: NodeJS.ProcessEnv = process.env): Device | null {
  if (choice === 'cpu') return null;
  if (env.TAILMIX_PJRT) return openDevice(resolve(env.TAILMIX_PJRT), clientOptions(env.TAILMIX_PJRT));
  if (choice === 'pjrt') throw pluginMissing();
  return null;
}
