import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writePicture } from '../support/image-tree.ts';
import { cachedPackage } from '../support/installed.ts';
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
  // What the stub asks how commands begin.
  execFileSync(process.execPath, ['bin/tailmix.mjs', '--version'], { stdio: 'pipe' });
  stub = join(folder, 'stub');
  await mkdir(stub);
  const description = { name: 'tailmix', version: '0.1.0', bin: { tailmix: 'said.mjs' } };
  await writeFile(join(stub, 'package.json'), JSON.stringify(description));
  await writeFile(
    join(stub, 'said.mjs'),
    `import { commandStart } from ${JSON.stringify(resolve('dist/src/util/command-start.js'))};
console.log('tailmix', process.argv.slice(2).join(' '), 'in', process.cwd(), commandStart());`,
  );
});

afterAll(() => rm(folderOfAll, { recursive: true }));

/** Runs it as `npm create` does, or as `pnpm create`, without the network. */
const create = (cwd: string, ...args: string[]) =>
  createBy({ npm_config_user_agent: 'npm/11.0.0 node/v22' }, cwd, ...args);

function createBy(manager: NodeJS.ProcessEnv, cwd: string, ...args: string[]) {
  const env = { ...process.env, npm_config_offline: 'true', npm_execpath: undefined, ...manager };
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

const pnpm = () => ({
  npm_config_user_agent: 'pnpm/10.34.8 npm/? node/v22.0.0 linux x64',
  npm_execpath: cachedPackage('pnpm', '10.34.8', 'bin/pnpm.cjs'),
});

test('pnpm create: pnpm installs, and the commands that are printed are pnpm’s', { timeout: 180_000 }, async () => {
  const folder = await temporaryFolder();
  const made = createBy(pnpm(), folder, 'my-run');
  expect(made.status, made.stderr + made.stdout).toBe(0);
  expect(readdirSync(join(folder, 'my-run')).sort()).toEqual(['node_modules', 'package.json', 'pnpm-lock.yaml']);
  expect(made.stdout).toContain(`tailmix init in ${join(folder, 'my-run')} pnpm tailmix`);
});

test('each package manager adds the package in its own way', async () => {
  const { addCommand } = (await import(join(folderOfAll, 'package/manager.mjs'))) as {
    addCommand(spec: string, env: NodeJS.ProcessEnv): { manager: string; isBerry: boolean; command: string[] };
  };
  const by = (agent: string | undefined, path?: string) =>
    addCommand('tailmix@1', { ...(agent && { npm_config_user_agent: agent }), ...(path && { npm_execpath: path }) });
  const node = process.execPath;
  expect(by(undefined)).toEqual({
    manager: 'npm',
    isBerry: false,
    command: ['npm', 'install', '--no-audit', '--no-fund', 'tailmix@1'],
  });
  expect(by('npm/11.1.0 node/v22', '/lib/npm-cli.js').command.slice(0, 3)).toEqual([
    node,
    '/lib/npm-cli.js',
    'install',
  ]);
  expect(by('pnpm/10.1.0 npm/?', '/lib/pnpm.cjs').command).toEqual([node, '/lib/pnpm.cjs', 'add', 'tailmix@1']);
  expect(by('yarn/1.22.22 npm/?', '/lib/yarn.js')).toMatchObject({
    isBerry: false,
    command: [node, '/lib/yarn.js', 'add', 'tailmix@1'],
  });
  expect(by('yarn/4.18.1 npm/?')).toMatchObject({ isBerry: true, command: ['yarn', 'add', 'tailmix@1'] });
  expect(by('bun/1.2.0', '/bin/bun').command).toEqual(['/bin/bun', 'add', 'tailmix@1']);
  // npm's path, left by a program above.
  expect(by('pnpm/10.1.0', '/lib/npm-cli.js').command).toEqual(['pnpm', 'add', 'tailmix@1']);
  expect(by('deno/2.0.0').manager).toBe('npm');
});

test('a folder that cannot be made is named, and nothing waits', { timeout: 60_000 }, async () => {
  const { status, stderr } = create(await temporaryFolder(), '/proc/x/my-run');
  expect(status).toBe(2);
  expect(stderr).toMatch(/^create-tailmix: expected to make the folder \/proc\/x; the system refused \(ENOENT/);
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
