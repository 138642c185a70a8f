// Training steps of two processes with one thread each against one process with two threads: the same global batch, the same cores,
// in turns in one run. Ratios are of each round's two rates, by the clock and by the processor time of all processes (for machines that
// others use too: threads that wait for one another lose more there than processes), and their medians are shown.
//
//   npm run build && node bench/cluster-step.mjs [--only resnet32-fp32,…] [--processes 2] [--rounds 5] [--seconds 4] [--json FILE]
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuFeatures, isBfloat16Native } from '../dist/src/backend/cpu.js';
import { freeAddresses } from '../dist/src/cli/launch.js';
import { openPeer } from './support/peer.mjs';
import { machine, median } from './support/report.mjs';

const CASES = ['fp32', 'bf16'].flatMap((precision) => [
  { name: `resnet32-${precision}`, model: 'resnet32', batch: 128, size: 32, precision },
  { name: `resnet18-${precision}`, model: 'resnet18-cifar', batch: 128, size: 32, precision },
  { name: `resnet50-${precision}`, model: 'resnet50', batch: 16, size: 224, precision },
]);

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    processes: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    json: { type: 'string' },
  },
});
const processes = Number(values.processes);
const program = fileURLToPath(new URL('tailmix-step.mjs', import.meta.url));

/** Processes that compute the same steps: images a second, by the clock and by the processor time of all. */
async function open(name, threads, argLists) {
  const env = { TAILMIX_THREADS: String(threads), TF_CPP_MIN_LOG_LEVEL: '3' };
  const peers = await Promise.all(argLists.map((args) => openPeer(name, process.execPath, [program, ...args], env)));
  return {
    async rate(steps) {
      const answers = await Promise.all(peers.map(({ ask }) => ask(`train ${steps}`)));
      return {
        clock: Math.min(...answers.map(({ imagesPerSecond }) => imagesPerSecond)),
        cpu: 1 / answers.reduce((sum, { imagesPerCpuSecond }) => sum + 1 / imagesPerCpuSecond, 0),
      };
    },
    close: () => {
      for (const peer of peers) peer.close();
    },
  };
}

async function measure({ name, model, batch, size, precision }) {
  const shared = ['--model', model, '--batch', String(batch), '--size', String(size), '--precision', precision];
  const addresses = (await freeAddresses(processes)).join(',');
  const ranks = Array.from({ length: processes }, (_, rank) => [
    ...shared,
    ...['--replicas', String(processes), '--workers', addresses, '--worker', String(rank)],
  ]);
  const [one, many] = [await open('one process', processes, [shared]), await open('a process', 1, ranks)];
  const steps = Math.max(2, Math.round(((await one.rate(2)).clock * Number(values.seconds)) / batch));
  await many.rate(2);
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const turn = round % 2 === 0 ? [one, many] : [many, one];
    const rates = new Map();
    for (const peers of turn) rates.set(peers, await peers.rate(steps));
    rounds.push({ one: rates.get(one), many: rates.get(many) });
  }
  one.close();
  many.close();
  const by = (unit) => {
    const ratios = rounds.map((round) => round.many[unit] / round.one[unit]);
    const of = (side) => median(rounds.map((round) => round[side][unit]));
    return {
      one: of('one'),
      many: of('many'),
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
    };
  };
  return { name, batch, steps, clock: by('clock'), cpu: by('cpu'), load: machine().load, rounds };
}

const hasBf16 = isBfloat16Native(cpuFeatures());
const wanted = CASES.filter(({ name }) => values.only === undefined || values.only.split(',').includes(name));
const shown = ({ one, many, ratio, lowest, highest }) =>
  `${one.toFixed(1)} and ${many.toFixed(1)}, ratio ${ratio.toFixed(3)} (${lowest.toFixed(3)} to ${highest.toFixed(3)})`;
console.log(JSON.stringify(machine()));
const rows = [];
for (const one of wanted) {
  if (one.precision === 'bf16' && !hasBf16) {
    console.log(`SKIPPED: ${one.name}, this processor has no bfloat16`);
    continue;
  }
  const row = await measure(one);
  rows.push(row);
  console.log(
    `${row.name}, batch ${row.batch}, 1 process × ${processes} threads and ${processes} × 1 thread, load ${row.load.toFixed(1)}`,
  );
  console.log(`  images/s ${shown(row.clock)}`);
  console.log(`  images per second of processor time ${shown(row.cpu)}`);
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`);
