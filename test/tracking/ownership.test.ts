import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { isOwned, own, ownerFile } from '../../src/tracking/ownership.ts';
import { gone, lockOf, refusalOf } from '../support/locks.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('a directory has one owner, and is free when that lets go', async () => {
  const folder = join(await temporaryFolder(), 'deep', 'run');
  const ownership = await own(folder);
  expect(ownership.directory).toBe(folder);
  expect(await isOwned(folder)).toBe(true);
  expect(await refusalOf(folder, own(folder))).toMatchInlineSnapshot(
    `"FOLDER: expected a folder that no other process writes to; process PID on this machine (HOST) has owned it since TIME. Wait until it ends, or end it with \`kill -INT PID\`."`,
  );
  await ownership.confirm();
  await ownership.release();
  expect(await isOwned(folder)).toBe(false);
  expect(await readdir(folder)).toEqual([]);
  await (await own(folder)).release();
});

test('of many that want it at once, one gets it, also where its owner is dead', async () => {
  for (const dead of [false, true]) {
    const folder = await temporaryFolder();
    if (dead) await writeFile(ownerFile(folder), lockOf(gone()));
    const tried = await Promise.allSettled(Array.from({ length: 12 }, () => own(folder)));
    const won = tried.filter(({ status }) => status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const { reason } of tried.filter((one) => one.status === 'rejected'))
      expect(reason).toMatchObject({ code: 'DIRECTORY_OWNED', exitCode: 2 });
    expect(await readdir(folder)).toEqual(['owner.lock']);
  }
});

describe('an owner', () => {
  test('on this machine that is dead is replaced: no process, another process of its pid, a dead one still listed', async () => {
    const folder = await temporaryFolder();
    const self = JSON.parse(lockOf({})) as Record<string, unknown>;
    const before = await own(folder);
    const { started } = JSON.parse(await readFile(ownerFile(folder), 'utf8'));
    expect(started).toMatch(/./);
    await before.release();
    for (const owner of [gone(), { pid: process.pid, started: `${started}0` }]) {
      await writeFile(ownerFile(folder), JSON.stringify({ ...self, ...owner }));
      expect(await isOwned(folder)).toBe(false);
      await (await own(folder)).release();
    }
    await writeFile(ownerFile(folder), JSON.stringify({ ...self, pid: process.pid, started }));
    expect(await isOwned(folder)).toBe(true);
  });

  test.skipIf(process.platform !== 'linux')('that was killed and is still listed is dead', async () => {
    const folder = await temporaryFolder();
    // A child that nobody waits for: the shell becomes another program, and only then the child is killed.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(String(line));
    await expect.poll(() => readFile(`/proc/${parent.pid}/comm`, 'utf8'), { timeout: 30_000 }).toBe('sleep\n');
    process.kill(pid, 'SIGKILL');
    const fields = async () => (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
    await expect.poll(async () => (await fields())[0], { timeout: 30_000 }).toBe('Z');
    await writeFile(ownerFile(folder), lockOf({ pid, started: (await fields())[19]! }));
    expect(await isOwned(folder)).toBe(false);
  });

  test('that cannot be seen is kept, and is taken from only when asked to', async () => {
    const folder = await temporaryFolder();
    const locks = {
      'another machine': lockOf({ host: 'node17', pid: 4242 }),
      'another container': lockOf({ space: 'pid:[1]', pid: 7 }),
      unreadable: '{"pid": 12',
    };
    const told: Record<string, string> = {};
    for (const [what, lock] of Object.entries(locks)) {
      await writeFile(ownerFile(folder), lock);
      told[what] = await refusalOf(folder, own(folder));
      expect(await readFile(ownerFile(folder), 'utf8')).toBe(lock);
      const ownership = await own(folder, { takeOver: true });
      await ownership.confirm();
      await ownership.release();
    }
    expect(told).toMatchInlineSnapshot(`
      {
        "another container": "FOLDER: expected a folder that no other process writes to; process 7 in another container on HOST has owned it since TIME. Whether it still runs cannot be seen from here (HOST). If nothing writes to the folder any more, repeat the command with --take-over.",
        "another machine": "FOLDER: expected a folder that no other process writes to; process 4242 on node17 has owned it since TIME. Whether it still runs cannot be seen from here (HOST). If nothing writes to the folder any more, repeat the command with --take-over.",
        "unreadable": "FOLDER: expected a folder that no other process writes to; its owner.lock cannot be read. If nothing writes to the folder any more, repeat the command with --take-over.",
      }
    `);
  });

  test.skipIf(process.platform === 'win32')(
    'that nothing names: what is no lock is refused, and moved by takeOver, or removed if it is empty',
    async () => {
      const { uid } = userInfo();
      const told: Record<string, string> = {};
      const things: Record<string, (path: string) => unknown> = {
        'empty file': (path) => writeFile(path, ''),
        'empty folder': (path) => mkdir(path),
        folder: async (path) => {
          await mkdir(path);
          await writeFile(join(path, 'notes.txt'), 'mine');
        },
        'link to nothing': (path) => symlink('nowhere', path),
        'link to itself': (path) => symlink('owner.lock', path),
        'link to a device': (path) => symlink('/dev/zero', path),
        pipe: (path) => execFileSync('mkfifo', [path]),
        ...(uid === 0 && { device: (path: string) => execFileSync('mknod', [path, 'c', '1', '5']) }),
        'no JSON': (path) => writeFile(path, 'mine'),
        'JSON of another kind': (path) => writeFile(path, '{"pid": "mine"}'),
        '1 GB': async (path) => {
          await writeFile(path, '{');
          await truncate(path, 2 ** 30);
        },
      };
      for (const [what, make] of Object.entries(things)) {
        const folder = await temporaryFolder();
        const path = ownerFile(folder);
        await make(path);
        const { ino } = await lstat(path);
        told[what] = (await refusalOf(folder, own(folder))).split('; ')[1]!;
        expect((await lstat(path)).ino).toBe(ino);
        expect(await isOwned(folder)).toBe(true);
        const ownership = await own(folder, { takeOver: true });
        await ownership.confirm();
        const aside = `${path}.aside-1`;
        expect(ownership.taken?.endsWith(`It is now ${aside}.`) ?? false).toBe(!what.startsWith('empty'));
        await ownership.release();
        expect(await readdir(folder)).toEqual(what.startsWith('empty') ? [] : ['owner.lock.aside-1']);
        if (!what.startsWith('empty')) expect((await lstat(aside)).ino).toBe(ino);
        if (what === 'folder') expect(await readFile(join(aside, 'notes.txt'), 'utf8')).toBe('mine');
      }
      expect(told).toMatchInlineSnapshot(`
        {
          "1 GB": "its owner.lock is too large for a lock. If nothing writes to the folder any more, repeat the command with --take-over.",
          "JSON of another kind": "its owner.lock cannot be read. If nothing writes to the folder any more, repeat the command with --take-over.",
          "device": "its owner.lock is no file. If nothing writes to the folder any more, repeat the command with --take-over.",
          "empty file": "its owner.lock is empty. If nothing writes to the folder any more, repeat the command with --take-over.",
          "empty folder": "its owner.lock is a folder. If nothing writes to the folder any more, repeat the command with --take-over.",
          "folder": "its owner.lock is a folder. If nothing writes to the folder any more, repeat the command with --take-over.",
          "link to a device": "its owner.lock is a symbolic link. If nothing writes to the folder any more, repeat the command with --take-over.",
          "link to itself": "its owner.lock is a symbolic link. If nothing writes to the folder any more, repeat the command with --take-over.",
          "link to nothing": "its owner.lock is a symbolic link. If nothing writes to the folder any more, repeat the command with --take-over.",
          "no JSON": "its owner.lock cannot be read. If nothing writes to the folder any more, repeat the command with --take-over.",
          "pipe": "its owner.lock is no file. If nothing writes to the folder any more, repeat the command with --take-over.",
        }
      `);
    },
  );

  test('that runs is not taken from even when asked to', async () => {
    const folder = await temporaryFolder();
    const ownership = await own(folder);
    await expect(own(folder, { takeOver: true })).rejects.toMatchObject({ code: 'DIRECTORY_OWNED' });
    await ownership.confirm();
    await ownership.release();
  });

  test('of a moment is waited for', async () => {
    const folder = await temporaryFolder();
    const brief = await own(folder, { brief: true });
    const next = own(folder);
    await brief.release();
    await (await next).release();
  });

  test('of a moment on another machine is waited for, whatever the clock there says; not for ever', async () => {
    const folder = await temporaryFolder();
    const other = lockOf({ host: 'node17', pid: 4242, brief: true, since: '2020-01-01T00:00:00.000Z' });
    await writeFile(ownerFile(folder), other);
    const next = own(folder);
    expect(await Promise.race([next, delay(300, 'waits')])).toBe('waits');
    await rm(ownerFile(folder));
    await (await next).release();

    await writeFile(ownerFile(folder), other);
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 40_000));
    await expect(own(folder)).rejects.toMatchObject({ code: 'DIRECTORY_OWNED' });
    clock.mockRestore();
  });

  test('learns that it was replaced, and that its folder is gone; then it leaves the lock alone', async () => {
    const root = await temporaryFolder();
    const folder = join(root, 'run');
    const ownership = await own(folder);
    const other = lockOf({ host: 'node17', pid: 4242 });
    await writeFile(ownerFile(folder), other);
    expect(await refusalOf(root, ownership.confirm())).toMatchInlineSnapshot(
      `"FOLDER/run: expected to be its only writer; process 4242 on node17 has taken it over. This run ends here."`,
    );
    await ownership.release();
    expect(await readFile(ownerFile(folder), 'utf8')).toBe(other);
    await rm(ownerFile(folder));

    const moved = await own(folder);
    await rename(folder, join(root, 'elsewhere'));
    expect(await refusalOf(root, moved.confirm())).toMatchInlineSnapshot(
      `"FOLDER/run: expected to be its only writer; it was moved or deleted. Its checkpoints can be resumed where they are now."`,
    );
    await moved.release();
  });

  test('whose lock alone was deleted puts it back', async () => {
    const folder = await temporaryFolder();
    const ownership = await own(folder);
    await rm(ownerFile(folder));
    await ownership.confirm();
    expect(existsSync(ownerFile(folder))).toBe(true);
    await ownership.release();
  });
});

test('a new owner removes what killed writers left', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'checkpoints'));
  const kept = ['notes.txt', '.hidden'];
  for (const file of [...kept, '.config.yaml.4194304.unfinished', 'checkpoints/.epoch-0002.safetensors.17.unfinished'])
    await writeFile(join(folder, file), '');
  const ownership = await own(folder);
  expect((await readdir(folder)).sort()).toEqual(['.hidden', 'checkpoints', 'notes.txt', 'owner.lock']);
  expect(await readdir(join(folder, 'checkpoints'))).toEqual([]);
  await ownership.release();
});

test('a folder that cannot be made is named', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'file'), '');
  expect(await refusalOf(folder, own(join(folder, 'file')))).toMatchInlineSnapshot(
    `"FOLDER/file: could not be written (EEXIST: file already exists, mkdir 'FOLDER/file'). A file is where a folder is needed: choose another place."`,
  );
});
