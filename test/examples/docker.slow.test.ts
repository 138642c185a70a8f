import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { whyNotNative } from '../../src/backend/native.ts';
import { nativeFolder } from '../../src/backend/paths.ts';
import { packTarball } from '../support/installed.ts';

/** An instruction of a Dockerfile and what follows it. */
type Instruction = readonly [name: string, text: string];

const instructions: Instruction[] = readFileSync('examples/docker/Dockerfile', 'utf8')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => [/^\S+/.exec(line)![0], line.replace(/^\S+\s+/, '')] as const);

/** Set to set up the native backend anew, as a build does: 1 GB and minutes. Otherwise that of this machine is found there. */
const isWhole = Boolean(process.env.TAILMIX_DOCKER);
const missing = isWhole ? null : whyNotNative('native');
if (missing !== null) console.warn(`SKIPPED: the steps of examples/docker/Dockerfile are not run, ${missing}`);

/** A user without rights, as `node` of the image. */
const uid = 1000;
const isRoot = process.getuid?.() === 0;

test('the Dockerfile has what the steps below know, and ends as a user without rights', () => {
  expect(instructions.map(([name]) => name)).toEqual(
    'FROM RUN RUN USER ENV WORKDIR RUN RUN ENV VOLUME WORKDIR ENTRYPOINT CMD'.split(' '),
  );
  expect(instructions[0]).toEqual(['FROM', 'node:22-slim']);
  const installs = instructions.findIndex(([, text]) => text.includes('npm install'));
  expect(instructions.findIndex(([name]) => name === 'USER')).toBeLessThan(installs);
});

// Without Docker, its folders lie in one of this machine, and the packages of Debian are those that are there.
test.skipIf(missing !== null).each([['the steps of the Dockerfile, as a user without rights, in a folder of its own']])(
  '%s',
  { timeout: 600_000 },
  () => {
    const env: Record<string, string> = { PATH: process.env.PATH!, HOME: join(root, 'home') };
    for (const name of ['npm_config_registry', 'HTTPS_PROXY', 'NODE_EXTRA_CA_CERTS', 'PIP_INDEX_URL'])
      if (process.env[name] !== undefined) env[name] = process.env[name];
    const local = (text: string): string =>
      text
        .replaceAll(/(?<=^|[\s=:])\/(app|cache|work)(?=$|[\s/:])/g, `${root}/$1`)
        .replace(/(?<=install .*)tailmix$/, tarball);
    let folder = root;
    let isUser = false;
    for (const [name, text] of instructions) {
      if (name === 'USER') isUser = true;
      if (name === 'WORKDIR') folder = local(text);
      if (name === 'ENV') {
        const [variable, value] = text.split(/=(.*)/) as [string, string];
        env[variable] = local(value).replaceAll(/\$(\w+)/g, (_, other: string) => env[other]!);
      }
      if (name !== 'RUN' || text.startsWith('apt-get')) continue;
      if (text.includes('tailmix setup') && !isWhole) haveNative(join(root, 'cache'));
      run(local(text));
    }
    const [entry] = JSON.parse(instructions.find(([name]) => name === 'ENTRYPOINT')![1]) as string[];
    expect(run(`${entry} --help`)).toContain('Usage: tailmix');
    expect(run(`${entry} doctor --json`)).toContain('"native"');
    const config = 'node_modules/tailmix/configs/digits/erm.yaml';
    const trained = run(`${entry} train ${join(root, 'app', config)} --set train.epochs=1 --out run --json`);
    expect(JSON.parse(trained)).toMatchObject({ status: 'finished', backend: 'native' });
    expect(existsSync(join(root, 'work/run/summary.json'))).toBe(true);

    function run(command: string): string {
      const ids = isRoot && isUser ? { uid, gid: uid } : {};
      const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], {
        cwd: folder,
        env,
        encoding: 'utf8',
        ...ids,
      });
      expect(status, `${command}\n${stdout}\n${stderr}`).toBe(0);
      return stdout;
    }
  },
);

/** Puts the native backend of this machine into a cache, by links to its files: a user without rights may not see ours. */
function haveNative(cache: string): void {
  const native = nativeFolder('native');
  const own = join(cache, basename(native));
  // Links, unless it lies on another disk. Packages of an older set-up may be readable by their owner alone: they are copied.
  const { status } = spawnSync('cp', ['-RPl', native, cache], { stdio: 'ignore' });
  const copied = status === 0 ? 'node_modules' : '.';
  rmSync(join(own, copied), { recursive: true, force: true });
  cpSync(join(native, copied), join(own, copied), { recursive: true, verbatimSymlinks: true });
  execFileSync('chmod', ['-R', 'a+rX', join(own, 'node_modules')]);
}

let root: string;
let tarball: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-docker-'));
  await chmod(root, 0o755);
  mkdirSync(join(root, 'home'));
  if (isRoot) await chown(join(root, 'home'), uid, uid);
  if (missing !== null) return;
  tarball = packTarball(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));
