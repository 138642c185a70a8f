import { spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { beforeAll, expect, it, vi } from 'vitest';
import { bringBuildUpToDate } from '../support/build.ts';
import { writePicture } from '../support/image-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { quickRun } from './run.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** Root may write anywhere: then the command runs as `nobody`. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const run = (cwd: string, ...args: string[]) =>
  spawnSync(process.execPath, [resolve('bin/tailmix.mjs'), ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, TAILMIX_BACKEND: 'wasm', HOME: '/nonexistent', TAILMIX_CACHE: '' },
    ...user,
  });

let folder: string;
let mayRun = false;

beforeAll(async () => {
  // The user nobody may not compile.
  bringBuildUpToDate();
  mayRun = run('/', '--version').status === 0;
  if (!mayRun) console.warn('SKIPPED: commands without permission, since nobody may not read this checkout');
});

const DENIED = 'You have no permission there: choose another place, or change its permissions.\n';

it.each([
  ['train', ['train', 'run.yaml'], `mkdir 'runs'). ${DENIED}`],
  ['train --out', ['train', 'run.yaml', '--out', 'out'], `mkdir 'FOLDER/out'). ${DENIED}`],
  ['sweep', ['sweep', 'sweep.yaml'], `mkdir 'FOLDER/runs'). ${DENIED}`],
  ['init', ['init'], `open 'FOLDER/.tailmix.config.yaml.HOST.PID.unfinished'). ${DENIED}`],
  ['init, a folder', ['init', 'new'], `mkdir 'FOLDER/new'). ${DENIED}`],
  [
    'train --out, a file',
    ['train', 'run.yaml', '--out', 'run.yaml'],
    "mkdir 'FOLDER/run.yaml'). A file is where a folder is needed: choose another place.\n",
  ],
  [
    'train --out, below a file',
    ['train', 'run.yaml', '--out', 'run.yaml/x'],
    "mkdir 'FOLDER/run.yaml/x'). A file is where a folder is needed: choose another place.\n",
  ],
  [
    'train --out, where no folder can be made',
    ['train', 'run.yaml', '--out', '/proc/x'],
    "mkdir '/proc/x'). No folder can be made there: choose another place.\n",
  ],
  [
    'sweep --out, where no folder can be made',
    ['sweep', 'sweep.yaml', '--out', '/proc/x'],
    "mkdir '/proc/x'). No folder can be made there: choose another place.\n",
  ],
])('%s where the user may not write says so', async (_, args, message) => {
  if (!mayRun) return;
  folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  await writeFile(join(folder, 'sweep.yaml'), 'configs: [run.yaml]\nseeds: [0]\n');
  await chmod(folder, 0o555);
  const { status, stderr } = run(folder, ...args);
  await chmod(folder, 0o755);
  expect(
    stderr
      .replaceAll(folder, 'FOLDER')
      .replace(`${hostname()}.`, 'HOST.')
      .replace(/\d+(?=\.unfinished)/, 'PID'),
  ).toContain(message);
  expect(stderr).not.toContain('internal');
  expect(status).toBe(1);
});

it('a home that is not there stops no run', async () => {
  if (!mayRun) return;
  folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  await chmod(folder, 0o755);
  const place = join(folder, 'open');
  await mkdir(place);
  await chmod(place, 0o777);
  const { status, stderr } = run(place, 'train', '../run.yaml', '--out', 'a');
  expect(status, stderr).toBe(0);
});

it('a file where the cache folder should be is one message, at the end of the process too', async () => {
  const own = await temporaryFolder();
  await writePicture(join(own, 'photos/bee/0.png'), 0, 8, 8);
  await writePicture(join(own, 'photos/wasp/0.png'), 1, 8, 8);
  await writeFile(join(own, 'cache'), '');
  const config =
    'data: { name: image-folder, root: photos, imageSize: 8, split: { test: 0.5 } }\nmodel: { name: mlp }\n';
  await writeFile(join(own, 'run.yaml'), config);
  const { status, stderr } = spawnSync(process.execPath, [resolve('bin/tailmix.mjs'), 'data', 'prepare', 'run.yaml'], {
    cwd: own,
    encoding: 'utf8',
    env: { ...process.env, TAILMIX_BACKEND: 'wasm', TAILMIX_CACHE: join(own, 'cache') },
  });
  expect(status, stderr).toBe(1);
  expect(stderr).toMatch(/A file is where a folder is needed: choose another cache with TAILMIX_CACHE\.\n$/);
});
