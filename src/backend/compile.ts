import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { compileFailed, loadFailed, noCompiler } from './errors.ts';
import { bindingPath, quietLoaderPath } from './paths.ts';
import { QUIET_LOADER_SOURCE } from './quiet-loader.ts';
import { findCommand, lastLines, runCommand } from './run-command.ts';
import { LIBRARIES } from './wheel-layout.ts';

/** Compilers that are looked for, after the one that `CXX` names. */
const COMPILERS = ['c++', 'g++', 'clang++'];

/** A C++ compiler as a command with leading arguments. */
export type Compiler = [path: string, ...args: string[]];

/**
 * The C++ compiler to use: `CXX` (which may hold arguments) if set, else the first of c++, g++, clang++ on `PATH`.
 *
 * @throws TailmixError `NO_COMPILER`
 */
export async function findCompiler(env: NodeJS.ProcessEnv = process.env): Promise<Compiler> {
  const [named, ...args] = (env.CXX ?? '').split(/\s+/).filter(Boolean);
  const wanted = named === undefined ? COMPILERS : [named];
  const path = await findCommand(wanted, env);
  if (path === null) throw noCompiler(wanted);
  return [path, ...args];
}

/**
 * Compiles, against Node-API (one build serves every Node version), tfjs-node's binding and the module that loads
 * TensorFlow quietly. Both find TensorFlow's libraries in their own folder.
 *
 * @param folder holds `lib/`, `include/` and `node_modules/`
 * @throws TailmixError `COMPILE_FAILED`
 */
export async function compileBinding(compiler: Compiler, folder: string, packageName: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  const tfjsNode = join(modules, packageName);
  const quietLoader = join(folder, 'include', 'quiet_loader.cc');
  await writeFile(quietLoader, QUIET_LOADER_SOURCE);
  const flags = [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=tailmix'],
    `-I${tfjsNode}`,
    `-I${join(folder, 'include')}`,
    `-I${join(modules, 'node-api-headers', 'include')}`,
    '-Wl,-rpath,$ORIGIN',
  ];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(tfjsNode, 'binding', file));
  const libraries = [`-L${join(folder, 'lib')}`, ...LIBRARIES.map((library) => `-l:${library}`)];
  await compile([...compiler, ...flags, quietLoader, '-o', quietLoaderPath(folder), '-ldl']);
  await compile([...compiler, ...flags, ...sources, '-o', bindingPath(folder), ...libraries]);
}

async function compile(command: [string, ...string[]]): Promise<void> {
  const { code, stderr } = await runCommand(command);
  if (code === 0) return;
  const firstError = stderr.split('\n').find((line) => /error:|not found|cannot find/.test(line));
  throw compileFailed(command[0], firstError?.trim() ?? lastLines(stderr));
}

/**
 * Loads the compiled binding in a process of its own, where a library that aborts does no harm.
 *
 * @returns TensorFlow's version
 * @throws TailmixError `LOAD_FAILED`
 */
export async function tryBinding(folder: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(
    [process.execPath, '-e', `process.stdout.write(require(${JSON.stringify(bindingPath(folder))}).TF_Version)`],
    { env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', NODE_OPTIONS: '' } },
  );
  if (code !== 0) {
    const reason = stderr.split('\n').find((line) => /^Error: |: cannot open|ended by/.test(line));
    throw loadFailed(reason?.replace(/^Error: /, '') ?? lastLines(stderr));
  }
  return stdout;
}
