// Part of the launcher: plain Node, no dependencies.

import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from './make-folder.mjs';

export async function withLock(path, work, { onWait, pollMs = 200, staleMs = 30_000 } = {}) {
  await makeFolder(dirname(path));
  let told = false;
  while (!(await take(path))) {
    if (await isAbandoned(path, staleMs)) {
      await discard(path, staleMs);
      continue;
    }
    if (!told) onWait?.();
    told = true;
    await delay(pollMs);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, staleMs / 6);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(path, { force: true });
  }
}

async function take(path) {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
    } catch (error) {
      // Others would wait for a lock of nobody.
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isAbandoned(path, staleMs) {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > staleMs) return true;
    const { pid, host } = JSON.parse(await readFile(path, 'utf8'));
    return host === hostname() && !isAlive(pid);
  } catch {
    // Gone meanwhile, or taken and not yet written: look again.
    return false;
  }
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Only one waiter at a time may remove an abandoned lock, and looks again before it does. */
async function discard(path, staleMs) {
  const guard = `${path}.taking-over`;
  if (!(await take(guard))) {
    if (await isAbandoned(guard, staleMs)) await rm(guard, { force: true });
    return;
  }
  try {
    if (await isAbandoned(path, staleMs)) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}
