import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach } from 'vitest';

/** Runs each test of a file in an empty folder of its own, and writes files there. */
export function inEmptyFolder(): (files: Record<string, string>) => Promise<void> {
  const home = process.cwd();
  let folder = '';
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'tailmix-')));
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });
  return async (files) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(name), { recursive: true });
      await writeFile(name, text);
    }
  };
}
