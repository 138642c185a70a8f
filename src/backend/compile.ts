import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { compileFailed, loadFailed, noCompiler } from './errors.ts';
import { bindingPath, quietLoaderPath } from './paths.ts';
import { quietLoaderSource } from './quiet-loader.ts';
import { findCommand, lastLines, runCommand } from './run-command.ts';
import { ownTarget, type Target } from './target.ts';

/** Compilers that are looked for, after the one that `CXX` names. */
const COMPILERS = ['c++', 'g++', 'clang++'];

/** A C++ compiler as a command with leading arguments. */
export type Compiler = [path: string, ...args: string[]];

/**
 * The C++ compiler to use: `CXX` (which may hold arguments) if set, else the first of c++, g++, clang++ on `PATH`.
 *
 * @throws {TailmixError} NO_COMPILER
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
 * @param folder - holds `lib/`, `include/` and `node_modules/`
 * @throws {TailmixError} COMPILE_FAILED
 */
export async function compileBinding(
  compiler: Compiler,
  folder: string,
  packageName: string,
  target: Target = ownTarget(),
): Promise<void> {
  const modules = join(folder, 'node_modules');
  const tfjsNode = join(modules, packageName);
  const quietLoader = join(folder, 'include', 'quiet_loader.cc');
  const { main, framework } = target.libraries;
  await writeFile(quietLoader, quietLoaderSource(`${target.loadedAs}${main}`));
  const flags = [
    ...['-O2', '-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=tailmix'],
    `-I${tfjsNode}`,
    `-I${join(folder, 'include')}`,
    `-I${join(modules, 'node-api-headers', 'include')}`,
    `-Wl,-rpath,${target.origin}`,
  ];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(tfjsNode, 'binding', file));
  const libraries = [main, framework].map((library) => join(folder, 'lib', library));
  await compileModule('the binding', compiler, [...flags, quietLoader], quietLoaderPath(folder), ['-ldl'], target);
  await compileModule('the binding', compiler, [...flags, ...sources], bindingPath(folder), libraries, target);
}

/**
 * Compiles a Node-API module.
 *
 * @param what - for the message of a failure
 * @throws {TailmixError} COMPILE_FAILED
 */
export async function compileModule(
  what: string,
  compiler: Compiler,
  sources: readonly string[],
  output: string,
  libraries: readonly string[],
  target: Target = ownTarget(),
): Promise<void> {
  const flags = ['-std=c++17', ...target.moduleFlags, '-w'];
  const { code, stderr } = await runCommand([...compiler, ...flags, ...sources, '-o', output, ...libraries]);
  if (code === 0) return;
  const firstError = stderr.split('\n').find((line) => /error:|not found|cannot find/.test(line));
  throw compileFailed(compiler[0], what, firstError?.trim() ?? lastLines(stderr));
}

/** Flag of a module below `lib/`: TensorFlow's libraries are in its own folder, or in the one above while it is tried. */
export const librariesAround = ({ origin }: Target): string => `-Wl,-rpath,${origin},-rpath,${origin}/..`;

/**
 * Loads a compiled module after the binding, in a process of its own.
 *
 * @throws {TailmixError} LOAD_FAILED
 */
export const tryModule = (folder: string, module: string): Promise<string> =>
  tryToRun(`require(${JSON.stringify(bindingPath(folder))}); require(${JSON.stringify(module)})`);

/**
 * Loads the compiled binding in a process of its own, where a library that aborts does no harm.
 *
 * @returns TensorFlow's version
 * @throws {TailmixError} LOAD_FAILED
 */
export const tryBinding = (folder: string): Promise<string> =>
  tryToRun(`process.stdout.write(require(${JSON.stringify(bindingPath(folder))}).TF_Version)`);

/**
 * Runs JavaScript in a process of its own and returns what it writes.
 *
 * @throws {TailmixError} LOAD_FAILED
 */
async function tryToRun(code: string): Promise<string> {
  const ended = await runCommand([process.execPath, '-e', code], {
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', NODE_OPTIONS: '' },
  });
  if (ended.code !== 0) {
    const reason = ended.stderr.split('\n').find((line) => /^Error: |: cannot open|ended by/.test(line));
    throw loadFailed(reason?.replace(/^Error: /, '') ?? lastLines(ended.stderr));
  }
  return ended.stdout;
}
