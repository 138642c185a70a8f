// Runs on the emulated machine: test files, then `tailmix` with several lists of arguments, all in one process.
// A line of JSON for each: { name, seconds, problem }.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const { files, commands, cli } = JSON.parse(readFileSync(join(import.meta.dirname, 'work.json'), 'utf8'));

async function report(name, run) {
  const before = process.cpuUsage().user;
  const problem = await run().then(
    () => null,
    (error) => String(error?.message ?? error),
  );
  process.stderr.write(`@ ${JSON.stringify({ name, seconds: (process.cpuUsage().user - before) / 1e6, problem })}\n`);
}

await report('load', async () => {
  for (const file of files) await import(file);
});
const { tests } = await import('vitest');
for (const { name, run } of tests) await report(name, async () => run());
const { main } = await import(cli);
for (const command of commands) {
  await report(command.join(' '), async () => {
    const code = await main(command);
    if (code !== 0) throw new Error(`exit code ${code}`);
  });
}
