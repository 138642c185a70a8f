import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** Where the key of this user on this machine lies: `tailmix/key` under `XDG_CONFIG_HOME`, else under `~/.config`. */
export const userKeyPath = (env: NodeJS.ProcessEnv = process.env): string =>
  join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'tailmix', 'key');

/** A text signed by this user on this machine, hex; null where the key can be neither read nor made. */
export async function signed(text: string): Promise<string | null> {
  const key = (await readKey()) ?? (await makeKey());
  return key && signature(text, key);
}

/** Whether this user on this machine has signed a text. */
export async function isSigned(text: string, seal: string | null): Promise<boolean> {
  const key = await readKey();
  if (key === null || seal === null) return false;
  const [expected, given] = [Buffer.from(signature(text, key)), Buffer.from(seal)];
  return expected.length === given.length && timingSafeEqual(expected, given);
}

const signature = (text: string, key: Buffer): string => createHmac('sha256', key).update(text).digest('hex');

async function readKey(): Promise<Buffer | null> {
  const key = await readFile(userKeyPath()).catch(() => null);
  return key?.length === KEY_BYTES ? key : null;
}

const KEY_BYTES = 32;

/** Of processes that make one at a time, the first one's is taken, whole. */
async function makeKey(): Promise<Buffer | null> {
  const path = userKeyPath();
  const own = `${path}.${process.pid}`;
  try {
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    await writeFile(own, randomBytes(KEY_BYTES), { mode: 0o600 });
    await link(own, path).catch(() => {});
    await rm(own, { force: true });
  } catch {
    // A home that cannot be written to has no key: its runs are trusted when the user says so.
  }
  return readKey();
}
