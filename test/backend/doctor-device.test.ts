import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deviceFindings } from '../../src/backend/doctor-device.ts';
import { openInTurn } from '../../src/backend/open-apart.ts';
import { nativeFolder } from '../../src/backend/paths.ts';
import { missing, plugin } from '../pjrt/support.ts';
import { temporaryFolder } from '../support/temporary.ts';

const findings = (file: string, folder = nativeFolder('native')) =>
  deviceFindings(folder, { ...process.env, TAILMIX_PJRT: file });

test('without a plugin, there is nothing to say', async () => {
  expect(await findings('')).toEqual([]);
});

test('a build without the module that opens plugins', async () => {
  expect(await findings('/opt/plugin.so', '/nowhere')).toEqual([
    {
      name: 'device',
      status: 'problem',
      value: '/opt/plugin.so: what opens PJRT plugins is not compiled',
      cure: 'run `tailmix setup`',
    },
  ]);
});

test.skipIf(missing !== null)('plugin, version of its interface, devices', async () => {
  const [device, opened, ...rest] = await findings(plugin);
  expect(rest).toEqual([]);
  expect(device).toMatchObject({ name: 'device', status: 'ok', value: expect.stringMatching(/^\w.*; \d+ devices?\b/) });
  expect(opened).toMatchObject({
    name: 'PJRT plugin',
    status: 'ok',
    value: expect.stringMatching(/; PJRT 0\.\d+, \S/),
  });
  expect(opened!.value).toContain(plugin);
});

test.skipIf(missing !== null)('of several plugins, the first that finds a device, as runs do', async () => {
  const broken = join(await temporaryFolder(), 'plugin.so');
  writeFileSync(broken, 'no library');
  const tried = await openInTurn(nativeFolder('native'), process.env, [broken, plugin, '/nowhere/plugin.so']);
  expect(tried).toMatchObject([
    { plugin: broken, why: expect.stringMatching(/file too short|invalid ELF header/) },
    { plugin, opened: { devices: expect.arrayContaining([{ id: 0, kind: expect.any(String), place: 0 }]) } },
  ]);
});

test.skipIf(missing !== null)('a file that is none, and one that is not there', async () => {
  const file = join(await temporaryFolder(), 'plugin.so');
  const problem = (why: RegExp) => [
    {
      name: 'device',
      status: 'problem',
      value: expect.stringMatching(why),
      cure: expect.stringMatching(/^Check the path/),
    },
  ];
  expect(await findings(file)).toEqual(problem(/^[^:]*plugin\.so: .*No such file/));
  writeFileSync(file, 'no library');
  expect(await findings(file)).toEqual(problem(/plugin\.so: .*(file too short|invalid ELF header)/));
});
