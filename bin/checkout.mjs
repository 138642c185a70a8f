// Part of the launcher: plain Node, no dependencies. Brings a checkout up to date: node_modules and dist.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { withLock } from './lock.mjs';
import { npmCommand } from './npm.mjs';

/**
 * Installs dependencies and compiles, if either is missing or out of date. Many processes may call it at once. Processes
 * that a prepared one starts take the checkout as it is, so that all runs of a sweep use the same build.
 */
export async function prepareCheckout(root) {
  if (process.env.TAILMIX_PREPARED === root) return;
  await bringUpToDate(root);
  process.env.TAILMIX_PREPARED = root;
}

async function bringUpToDate(root) {
  if (isInstalled(root) && isBuilt(root)) return;
  const onWait = () => tell('waiting for another process that prepares this checkout …');
  const id = createHash('sha256').update(root).digest('hex').slice(0, 16);
  await withLock(join(tmpdir(), `tailmix-${id}.lock`), () => prepare(root), { onWait });
}

async function prepare(root) {
  if (!isInstalled(root)) {
    tell('installing dependencies (npm ci) …');
    await run(root, [...npmCommand(), 'ci', '--no-audit', '--no-fund'], 'npm ci failed');
  }
  if (!isBuilt(root)) {
    tell('compiling …');
    const state = sourceState(root);
    const built = join(root, 'node_modules', '.cache', 'tailmix-dist');
    rmSync(built, { recursive: true, force: true });
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const emitOnly = ['--noCheck', '--noResolve', '--declaration', 'false'];
    await run(root, [process.execPath, tsc, '-p', 'tsconfig.build.json', ...emitOnly, '--outDir', built], 'tsc failed');
    const { bundleTensorflowJs } = await import(pathToFileURL(join(root, 'tfjs', 'bundle.mjs')).href);
    await bundleTensorflowJs(built, { types: false });
    writeFileSync(join(built, STATE), state);
    replaceFolder(join(root, 'dist'), built, `${built}-before`);
  }
}

/** Puts a folder in the place of another, which is there for all but a moment: other processes load from it meanwhile. */
function replaceFolder(path, by, aside) {
  rmSync(aside, { recursive: true, force: true });
  if (existsSync(path)) renameSync(path, aside);
  renameSync(by, path);
  rmSync(aside, { recursive: true, force: true });
}

/** Whether node_modules holds what package-lock.json asks for. */
function isInstalled(root) {
  const wanted = join(root, 'package-lock.json');
  const present = join(root, 'node_modules', '.package-lock.json');
  try {
    if (statSync(present).mtimeMs >= statSync(wanted).mtimeMs) return true;
    const installed = packagesOf(present);
    return Object.entries(packagesOf(wanted)).every(
      ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
    );
  } catch {
    return false;
  }
}

const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

/** Whether dist was compiled from the sources as they are. */
function isBuilt(root) {
  try {
    return readFileSync(join(root, 'dist', STATE), 'utf8') === sourceState(root);
  } catch {
    return false;
  }
}

/** File in dist with the state of the sources that it was compiled from. */
export const STATE = '.source-state';

/** Newest change among everything that the compiler reads; folders count, so that a deleted file shows. */
export function sourceState(root) {
  let newest = 0;
  let count = 0;
  const look = (path) => {
    if (path.endsWith('.md')) return;
    const found = statSync(path);
    newest = Math.max(newest, found.mtimeMs);
    count += 1;
    if (found.isDirectory()) for (const name of readdirSync(path)) look(join(path, name));
  };
  for (const name of ['src', 'plugins', 'tfjs', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
    look(join(root, name));
  return `${count} files, newest ${newest}\n`;
}

/** Runs a command with its output on standard error. */
function run(root, [command, ...args], failure) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
    child.on('error', (error) => reject(new Error(`${failure}: ${error.message}`)));
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${failure}, see above.`))));
  });
}

function tell(text) {
  process.stderr.write(`${text}\n`);
}
