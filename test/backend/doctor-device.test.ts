import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCompiler } from '../../src/backend/compile.ts';
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

/** A plugin of two functions: a table of none, and no table. */
const hollow = (table: boolean): string => `
static struct { unsigned long size; void *more; unsigned long sizeOfVersion; void *moreOfVersion; int major, minor; void *functions[300]; } table;
extern "C" void *GetPjrtApi() { table.size = sizeof table; table.sizeOfVersion = 24; table.minor = 70; return ${table ? '&table' : '0'}; }
`;

test.skipIf(missing !== null)('libraries whose table is empty, or missing', async () => {
  for (const [table, why] of [
    [true, /: its table lacks PJRT_Error_Destroy/],
    [false, /: its function GetPjrtApi gives no table/],
  ] as const) {
    const folder = await temporaryFolder();
    const [source, file] = [join(folder, 'plugin.cc'), join(folder, 'plugin.so')];
    writeFileSync(source, hollow(table));
    const [compiler, ...given] = await findCompiler();
    execFileSync(compiler!, [...given, '-shared', '-fPIC', source, '-o', file]);
    expect(await findings(file)).toMatchObject([{ status: 'problem', value: expect.stringMatching(why) }]);
  }
});
