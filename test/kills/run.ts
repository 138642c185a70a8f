// npm run kills -- [SETTING]… [--kills 10] [--seed 0]: kills runs at random moments, resumes them, compares what they leave.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { killRuns } from './driver.ts';
import { settings } from './settings.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kills: { type: 'string', default: '10' }, seed: { type: 'string', default: '0' } },
});
const folder = await mkdtemp(join(tmpdir(), 'tailmix-kills-'));
const total = { kills: 0, runs: 0, equal: 0 };
for (const name of positionals.length > 0 ? positionals : Object.keys(settings)) {
  for (const { kills, differences } of await killRuns(
    join(folder, name),
    name,
    Number(values.kills),
    Number(values.seed),
  )) {
    console.log(
      `${name.padEnd(15)} killed: ${kills.join(', ').padEnd(45)} ${differences.length === 0 ? 'equal' : `DIFFERS: ${differences}`}`,
    );
    total.kills += kills.length;
    total.runs += 1;
    total.equal += differences.length === 0 ? 1 : 0;
  }
}
console.log(`${total.kills} kills in ${total.runs} runs, ${total.equal} of them equal to the runs that nobody killed`);
await rm(folder, { recursive: true, force: true });
process.exitCode = total.equal === total.runs ? 0 : 1;
