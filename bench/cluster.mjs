// The sum of gradients over processes of this machine, by TensorFlow's ring in buckets of 8 MiB as the training step has it, beside
// MPI_Allreduce (Open MPI: mpicc, mpirun) of the same size. Both take turns: the best of all, and the ratio of each round's medians, by its
// own median. Processes share the cores.
//
//   npm run build && node bench/cluster.mjs [--processes 2,3,4] [--floats 16,464154,25557032] [--times 5] [--rounds 5] [--json FILE]
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadBackend } from '../dist/src/backend/load.js';
import { freeAddresses } from '../dist/src/cli/launch.js';
import { join } from '../dist/src/cluster/link.js';
import { sumModel } from '../dist/src/cluster/protocol.js';
import { BUCKET } from '../dist/src/step/ring.js';
import { machine, median } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    processes: { type: 'string', default: '2,3,4' },
    floats: { type: 'string', default: '16,464154,25557032' },
    times: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
    rank: { type: 'string' },
    addresses: { type: 'string' },
  },
});
const times = Number(values.times);
const numbers = (text) => text.split(',').map(Number);

/** Buckets of a length of their own: a name in the model is a length. */
const bucketsOf = (floats) =>
  Array.from({ length: Math.ceil(floats / BUCKET) }, (_, i) => Math.min(BUCKET, floats - i * BUCKET) - i);

/** One process: sums all sizes, and tells milliseconds where it is the first. */
async function runRank() {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  await loadBackend('native');
  const member = { rank: Number(values.rank), addresses: values.addresses.split(','), from: 'the benchmark' };
  const link = await join(member, { tell: () => {} });
  const found = {};
  for (const [place, floats] of numbers(values.floats).entries()) {
    const firstKey = 1000 * (place + 1);
    const lengths = bucketsOf(floats);
    const session = link.openSession(sumModel(lengths, link.processes, firstKey));
    const feeds = lengths.map((length) => ({ name: `x${length}:0`, shape: [length], values: new Int32Array(length) }));
    const fetches = lengths.map((length) => `sum${length}:0`);
    found[floats] = [];
    for (let time = 0; time <= times; time++) {
      link.sum(new Int32Array(1));
      const start = performance.now();
      session.run(feeds, fetches);
      if (time > 0) found[floats].push(performance.now() - start);
    }
  }
  if (link.rank === 0) console.log(JSON.stringify(found));
  await link.leave();
  process.exit(0);
}

async function byTensorFlow(processes) {
  const addresses = (await freeAddresses(processes)).join(',');
  const script = fileURLToPath(import.meta.url);
  const args = ['--addresses', addresses, '--floats', values.floats, '--times', values.times];
  const texts = await Promise.all(
    addresses.split(',').map(
      (_, rank) =>
        new Promise((done, fail) => {
          const env = { ...process.env, TAILMIX_THREADS: '1' };
          const stdio = ['ignore', 'pipe', 'inherit'];
          const child = spawn(process.execPath, [script, ...args, '--rank', String(rank)], { env, stdio });
          let text = '';
          child.stdout.on('data', (part) => {
            text += part;
          });
          child.on('close', (code) => (code === 0 ? done(text) : fail(new Error(`rank ${rank} ended with ${code}`))));
        }),
    ),
  );
  return JSON.parse(texts[0]);
}

function byMpi(program, processes, floats) {
  const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const args = ['-n', String(processes), '--oversubscribe', '--bind-to', 'none', program, String(floats), values.times];
  return execFileSync('mpirun', args, { env, encoding: 'utf8' }).trim().split('\n').map(Number);
}

const summary = (rounds) => ({ best: Math.min(...rounds.flat()), median: median(rounds.flat()) });

/** Milliseconds of all rounds, by floats: `[round][time]`. */
async function inTurns(processes, program) {
  const sizes = numbers(values.floats);
  const found = sizes.map(() => ({ tensorflow: [], mpi: [] }));
  for (let round = 0; round < Number(values.rounds); round++) {
    const ours = await byTensorFlow(processes);
    for (const [i, floats] of sizes.entries()) {
      found[i].tensorflow.push(ours[floats]);
      if (program) found[i].mpi.push(byMpi(program, processes, floats));
    }
  }
  return found.map(({ tensorflow, mpi }, i) => ({
    ...{ processes, floats: sizes[i], load: machine().load, tensorflow: summary(tensorflow) },
    ...(program && { mpi: summary(mpi), ratio: median(tensorflow.map((one, k) => median(one) / median(mpi[k]))) }),
  }));
}

async function main() {
  const folder = mkdtempSync(path(tmpdir(), 'tailmix-bench-'));
  const program = path(folder, 'mpi_sum');
  const source = fileURLToPath(new URL('support/mpi_sum.c', import.meta.url));
  const hasMpi = spawnSync('mpicc', ['-O2', source, '-o', program]).status === 0;
  if (!hasMpi) console.log('SKIPPED: MPI_Allreduce, mpicc is not here (Open MPI)');
  const rows = [];
  try {
    for (const processes of numbers(values.processes)) rows.push(...(await inTurns(processes, hasMpi && program)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const shown = ({ best, median }, floats) =>
    `${best.toFixed(1)} ms best, ${median.toFixed(1)} median, ${((4e-6 * floats) / best).toFixed(2)} GB/s`;
  console.log(JSON.stringify(machine()));
  for (const { processes, floats, tensorflow, mpi, ratio, load } of rows) {
    console.log(
      `${processes} processes, ${floats} floats, load ${load.toFixed(1)}: TensorFlow ${shown(tensorflow, floats)}`,
    );
    if (mpi) console.log(`  MPI ${shown(mpi, floats)}; TensorFlow takes ${ratio.toFixed(2)} times as long`);
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`);
}

await (values.rank === undefined ? main() : runRank());
