// Part of the launcher: plain Node, no dependencies.

import { randomUUID } from 'node:crypto';
import { open, readFile, rm, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from './make-folder.mjs';

/** Ids of locks that were let go and may still be there: one that could not be removed, or whose folder was away. */
const letGo = new Set();

export async function withLock(path, work, { onWait, pollMs = 200, staleMs = 120_000 } = {}) {
  await makeFolder(dirname(path));
  const id = randomUUID();
  let told = false;
  const guard = `${path}.taking-over`;
  const isAbandoned = watch(path, staleMs);
  const isGuardAbandoned = watch(guard, staleMs);
  while (!(await take(path, id))) {
    // Only one waiter at a time may remove an abandoned lock, and looks again before it does.
    if (await isAbandoned()) {
      if (await take(guard, randomUUID())) {
        try {
          if (await isAbandoned()) await rm(path, { force: true });
        } finally {
          await rm(guard, { force: true });
        }
        continue;
      }
      if (await isGuardAbandoned()) await rm(guard, { force: true });
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
    await release(path, id);
  }
}

/** Removes a lock, unless somebody else has taken it meanwhile. */
async function release(path, id) {
  try {
    if (JSON.parse(await readFile(path, 'utf8')).id === id) return await unlink(path);
  } catch {
    // What the work did, or threw, is not to be lost for a lock.
  }
  letGo.add(id);
}

async function take(path, id) {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname(), id }));
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

/**
 * Asks whether a lock is abandoned: its process is gone from this machine, or this one and has let it go, or nobody has touched it
 * for `staleMs` since it was first looked at. Times of files are compared with each other alone: clocks of machines that share a folder differ.
 */
function watch(path, staleMs) {
  let seen = null;
  return async () => {
    try {
      const { ino, mtimeMs } = await stat(path);
      const touch = `${ino} ${mtimeMs}`;
      if (seen?.touch !== touch) seen = { touch, at: performance.now() };
      if (performance.now() - seen.at > staleMs) return true;
      const { pid, host, id } = JSON.parse(await readFile(path, 'utf8'));
      return letGo.has(id) || (host === hostname() && !isAlive(pid));
    } catch {
      // Gone meanwhile, or taken and not yet written: look again.
      return false;
    }
  };
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
