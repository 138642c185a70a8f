import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writePicture } from '../support/image-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';

let program: string;
let stub: string;
let folderOfAll: string;

/** The program out of its tarball, and a package in the place of tailmix that says what it was called with. */
beforeAll(async () => {
  folderOfAll = await mkdtemp(join(tmpdir(), 'tailmix-test-'));
  const folder = folderOfAll;
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: 'create-tailmix', stdio: 'pipe' });
  const [tarball] = readdirSync(folder);
  execFileSync('tar', ['-xzf', tarball!], { cwd: folder });
  program = join(folder, 'package/index.mjs');
  stub = join(folder, 'stub');
  await mkdir(stub);
  const description = { name: 'tailmix', version: '0.1.0', bin: { tailmix: 'said.mjs' } };
  await writeFile(join(stub, 'package.json'), JSON.stringify(description));
  await writeFile(
    join(stub, 'said.mjs'),
    "console.log('tailmix', process.argv.slice(2).join(' '), 'in', process.cwd());",
  );
});

afterAll(() => rm(folderOfAll, { recursive: true }));

/** Runs it as `npm create` does, without the network. */
function create(cwd: string, ...args: string[]) {
  const env = { ...process.env, npm_config_offline: 'true', npm_execpath: undefined };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args, '--package', stub], {
    cwd,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('for a folder of images: installs in the current folder, which init then writes to', {
  timeout: 180_000,
}, async () => {
  const folder = await temporaryFolder();
  await writePicture(join(folder, 'photos/a/0.png'), 0);
  const app = join(folder, 'app');
  await mkdir(app);
  const made = create(app, '../photos', '--yes');
  expect(made.status, made.stderr).toBe(0);
  expect(made.stdout).toContain(`tailmix init ../photos --yes in ${app}`);
  expect(JSON.parse(await readFile(join(app, 'package.json'), 'utf8'))).toMatchObject({
    private: true,
    type: 'module',
  });
  expect(readdirSync(join(folder, 'photos'))).toEqual(['a']);
  const within = create(join(folder, 'photos/a'), '..');
  expect(within).toMatchObject({ status: 2, stdout: '' });
  expect(within.stderr).toContain('outside of the images');
  expect(readdirSync(join(folder, 'photos/a'))).toEqual(['0.png']);
});

test('for a new name: a project in a folder of its own; a package.json stays', { timeout: 180_000 }, async () => {
  const folder = await temporaryFolder();
  const made = create(folder, 'my-run');
  expect(made.status, made.stderr).toBe(0);
  expect(made.stdout).toContain(`tailmix init in ${join(folder, 'my-run')}`);
  expect(existsSync(join(folder, 'package.json'))).toBe(false);
  await writeFile(join(folder, 'package.json'), '{ "name": "mine" }');
  expect(create(folder).status).toBe(0);
  expect(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))).toMatchObject({ name: 'mine' });
});

test('a folder with other things in it is left alone', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'photo.jpg'), 'x');
  const { status, stderr } = create(folder);
  expect(status).toBe(2);
  expect(stderr).toContain('create-tailmix: expected an empty folder');
  expect(create(folder, 'photo.jpg').stderr).toBe(
    'create-tailmix: expected a folder of images, or a new name; photo.jpg is a file.\n',
  );
  expect(readdirSync(folder)).toEqual(['photo.jpg']);
});

test('its version is that of tailmix', async () => {
  const versionOf = async (path: string) => (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version;
  expect(await versionOf('create-tailmix/package.json')).toBe(await versionOf('package.json'));
});
