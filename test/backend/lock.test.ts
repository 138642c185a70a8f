import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { withLock } from '#lock';
import { temporaryFolder } from '../support/temporary.ts';

const quick = { pollMs: 5 };

test('work under one lock never overlaps', async () => {
  const path = join(await temporaryFolder(), 'deep', 'x.lock');
  let inside = 0;
  let most = 0;
  let waited = 0;
  const work = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await delay(10);
    inside -= 1;
  };
  const onWait = (): void => {
    waited += 1;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(path, work, { ...quick, onWait })));
  expect({ most, waited }).toEqual({ most: 1, waited: 4 });
  expect(existsSync(path)).toBe(false);
});

test('the lock goes when the work throws', async () => {
  const path = join(await temporaryFolder(), 'x.lock');
  await expect(withLock(path, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(existsSync(path)).toBe(false);
});

test('a lock whose folder was away when it was let go holds nobody up', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'in', 'x.lock');
  const away = join(folder, 'away');
  expect(
    await withLock(path, async () => {
      renameSync(join(folder, 'in'), away);
      return 'done';
    }),
  ).toBe('done');
  renameSync(away, join(folder, 'in'));
  expect(existsSync(path)).toBe(true);
  // A lock that somebody holds would be waited for for two minutes.
  expect(await withLock(path, async () => 'again', quick)).toBe('again');
  expect(existsSync(path)).toBe(false);
});

test('a lock that somebody else has taken meanwhile is not removed', async () => {
  const path = join(await temporaryFolder(), 'x.lock');
  const other = JSON.stringify({ pid: 1, host: 'elsewhere' });
  await withLock(path, async () => writeFileSync(path, other));
  expect(readFileSync(path, 'utf8')).toBe(other);
});

test('locks of dead processes are taken over, by one waiter at a time', async () => {
  const path = join(await temporaryFolder(), 'x.lock');
  const { pid } = spawnSync(process.execPath, ['--version']);
  writeFileSync(path, JSON.stringify({ pid, host: hostname() }));
  let inside = 0;
  await Promise.all(
    Array.from({ length: 8 }, () =>
      withLock(
        path,
        async () => {
          inside += 1;
          expect(inside).toBe(1);
          expect(JSON.parse(readFileSync(path, 'utf8')).pid).toBe(process.pid);
          await delay(2);
          inside -= 1;
        },
        quick,
      ),
    ),
  );
});

test('locks of other hosts, or unreadable ones, are taken over when nobody touches them', async () => {
  const path = join(await temporaryFolder(), 'x.lock');
  for (const content of [JSON.stringify({ pid: 1, host: 'elsewhere' }), '']) {
    writeFileSync(path, content);
    const begun = performance.now();
    expect(await withLock(path, async () => 'done', { ...quick, staleMs: 200 })).toBe('done');
    expect(performance.now() - begun).toBeGreaterThan(200);
  }
});

test('a lock that is touched is respected, whatever the clock of the machine that touches it', async () => {
  const path = join(await temporaryFolder(), 'x.lock');
  writeFileSync(path, JSON.stringify({ pid: 1, host: 'elsewhere' }));
  const hourAgo = Date.now() - 3_600_000;
  const touched = setInterval(() => {
    const time = new Date(hourAgo + performance.now());
    utimesSync(path, time, time);
  }, 20);
  let done = false;
  const waiting = withLock(
    path,
    async () => {
      done = true;
    },
    { ...quick, staleMs: 2000 },
  );
  await delay(4000);
  expect(done).toBe(false);
  clearInterval(touched);
  await waiting;
  expect(done).toBe(true);
});
