import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import process from 'node:process';

/** Brings `dist/` up to date, as the launcher does: it compiles what has changed. */
export const bringBuildUpToDate = (): void =>
  void execFileSync(process.execPath, [resolve('bin/tailmix.mjs'), '--version'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
