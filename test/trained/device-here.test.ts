import process from 'node:process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Backend } from '../../src/backend/load.ts';
import { onDeviceHere } from '../../src/trained/device-here.ts';
import type { TrainedRun } from '../../src/trained/open.ts';
import { temporaryFolder } from '../support/temporary.ts';

beforeEach(async () => {
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  vi.stubEnv('TAILMIX_PJRT', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const tensorflow = { name: 'native', binding: {} } as Backend;
const wasm = { name: 'wasm' } as Backend;
const runOn = (device?: string) =>
  ({ directory: '/runs/one', settings: { train: { device } } }) as unknown as Pick<
    TrainedRun,
    'settings' | 'directory'
  >;

test.each([
  ['a plugin that is not set up', tensorflow, 'found none'],
  ['TensorFlow, which would record,', wasm, 'expected TensorFlow'],
])('without %s, a run of a device is computed on the processor, and a warning says why', async (_, backend, why) => {
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const { settings } = await onDeviceHere(runOn('pjrt:1'), backend);
  expect(settings.train.device).toBe('cpu');
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining(why), {
    type: 'TailmixWarning',
    code: 'DEVICE_ELSEWHERE',
  });
});

test('a run of the processor, or of no device in particular, is as it was', async () => {
  for (const device of [undefined, 'cpu']) expect(await onDeviceHere(runOn(device), wasm)).toEqual(runOn(device));
});
