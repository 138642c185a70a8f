import { readdirSync } from 'node:fs';
import process from 'node:process';
import { bringBuildUpToDate } from './build.ts';

/** The test files and folders that a command names; none where all run. */
export const named = process.argv.slice(2).filter((argument) => argument.includes('test'));

/** Whether test files named `*.slow.test.ts` run: in CI, with `TAILMIX_SLOW=1`, or where a path names one. */
export const withSlow =
  Boolean(process.env.CI || process.env.TAILMIX_SLOW) || named.some((path) => path.includes('.slow.'));

/** Compiles the sources for a whole run, and says at its end what it left out. */
export default function setup(): () => void {
  if (named.length === 0) bringBuildUpToDate();
  return () => {
    if (withSlow || named.length > 0) return;
    const left = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.slow.test.ts'),
    );
    console.log(`${left.length} slow test files were left out; TAILMIX_SLOW=1 npm test runs them too, as CI does:`);
    for (const file of left.sort()) console.log(`  test/${file}`);
  };
}
