#!/usr/bin/env node
// The launcher: plain Node, no dependencies, since it is what installs them in a checkout.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED = [20, 19];

async function launch() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
    throw new Error(`Node ${NEEDED.join('.')} or newer is needed, this is ${process.version}; install a newer Node.`);
  }
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  if (existsSync(join(root, 'tsconfig.build.json'))) {
    const { prepareCheckout } = await import('./checkout.mjs');
    await prepareCheckout(root);
  }
  const cli = join(root, 'dist', 'src', 'cli', 'index.js');
  if (!existsSync(cli)) throw new Error(`${cli} is missing; install tailmix again.`);
  const { main } = await import(pathToFileURL(cli).href);
  return main(process.argv.slice(2));
}

/**
 * A reader that goes away, as `| head` does, or a terminal that is closed, ends nothing: what is asked for is done. Output
 * that cannot be written for another reason, such as a full disk, makes the exit code 1.
 */
function surviveOutput() {
  process.stderr.on('error', () => {});
  process.stdout.on('error', ({ code, message }) => {
    if (GONE.has(code) || hasLost) return;
    hasLost = true;
    process.exitCode ||= 1;
    process.stderr.write(`tailmix: standard output could not be written: ${message}\n`);
  });
}

/** What a stream says whose other end is gone: a pipe, a terminal. */
const GONE = new Set(['EPIPE', 'EIO']);
let hasLost = false;

/** How long a process may go on behind its command, in ms. */
const GRACE_MS = 10_000;

/**
 * Ends the process, soon, where something that a plugin or a data set has started and not stopped, such as a timer or a
 * connection, would keep it for ever. One that has nothing left ends by itself before.
 */
function endAnyway() {
  setTimeout(() => {
    if (process.stdout.writableLength + process.stderr.writableLength > 0) return endAnyway();
    const open = new Set(process.getActiveResourcesInfo().filter((kind) => !STANDARD_STREAMS.has(kind)));
    process.stderr.write(
      `tailmix: the command is done. What a plugin or a data set started and did not stop ends with it: ${[...open].join(', ')}.\n`,
    );
    process.exit();
  }, GRACE_MS).unref();
}

const STANDARD_STREAMS = new Set(['TTYWrap', 'PipeWrap']);

surviveOutput();
try {
  const exitCode = await launch();
  process.exitCode ||= exitCode;
} catch (error) {
  const cure = error?.code === 'EMFILE' ? '. Raise the limit: ulimit -n 1024.' : '';
  process.stderr.write(`tailmix: ${error instanceof Error ? error.message : error}${cure}\n`);
  process.exitCode = 1;
}
endAnyway();
