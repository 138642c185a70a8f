// npm run kills -- [SETTING]… [--kills 10] [--seed 0] [--record FILE]: kills runs at random moments, resumes them, compares
// what they leave. With a record, each run is a line of it, and another start goes on where the last one stopped.
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { killRuns, type Trial } from './driver.ts';
import { settings } from './settings.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '0' },
    record: { type: 'string' },
  },
});
const seed = Number(values.seed);
const trials = values.record && existsSync(values.record) ? await readRecord(values.record) : [];
const folder = await mkdtemp(join(tmpdir(), 'tailmix-kills-'));
for (const name of positionals.length > 0 ? positionals : Object.keys(settings)) {
  const before = trials.filter((trial) => trial.setting === name && trial.seed === seed);
  const kills = Number(values.kills) - sum(before.map((trial) => trial.kills.length));
  if (kills <= 0) continue;
  for await (const trial of killRuns(join(folder, name), name, { kills, seed, from: before.length })) {
    const became = trial.differences.length === 0 ? 'equal' : `DIFFERS: ${trial.differences}`;
    console.log(`${name.padEnd(15)} killed: ${trial.kills.join(', ').padEnd(45)} ${became}`);
    trials.push(trial);
    if (values.record) await appendFile(values.record, `${JSON.stringify(trial)}\n`);
  }
}
const equal = trials.filter(({ differences }) => differences.length === 0).length;
console.log(
  `${sum(trials.map(({ kills }) => kills.length))} kills in ${trials.length} runs, ${equal} of them equal to the runs that nobody killed`,
);
await rm(folder, { recursive: true, force: true });
process.exitCode = equal === trials.length ? 0 : 1;

async function readRecord(file: string): Promise<Trial[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Trial);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
