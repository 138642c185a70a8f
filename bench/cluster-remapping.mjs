// Prediction in bfloat16 with and without TensorFlow's remapper, which a distributed session has to do without: two sessions of one process,
// in turns, rates without over rates with.
//
//   npm run build && node bench/cluster-remapping.mjs [--model resnet50] [--batch 16] [--size 224] [--steps 4] [--rounds 7]
import process, { cpuUsage } from 'node:process';
import { parseArgs } from 'node:util';
import { loadClusterModule } from '../dist/src/backend/cluster-module.js';
import { loadBackend } from '../dist/src/backend/load.js';
import { openStepBench } from '../dist/src/bench/step.js';
import { configProto, runOptions } from '../dist/src/cluster/protocol.js';
import { withModelFolder } from '../dist/src/graph/index.js';
import { machine, median } from './support/report.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: {
    model: option('resnet50'),
    batch: option('16'),
    size: option('224'),
    steps: option('4'),
    rounds: option('7'),
  },
});
const [batch, imageSize, steps] = [values.batch, values.size, values.steps].map(Number);
process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
await loadBackend('native');
const module = loadClusterModule();

/** A cluster of this process alone, whose sessions need no server. */
function aloneWith(remapping) {
  const options = runOptions(600_000);
  const openSession = (model) => {
    const config = configProto(0, { remapping });
    const id = withModelFolder(model, (folder, tag) => module.openSession(folder, tag, '', config));
    const run = (feeds, fetches, wanted) =>
      module.run(id, options, feeds, fetches).filter((_, i) => wanted === undefined || wanted[i]);
    return { run, dispose: () => module.closeSession(id) };
  };
  return { rank: 0, processes: 1, addresses: ['127.0.0.1:1'], stoppedBy: null, openSession };
}

const open = (remapping) =>
  openStepBench({
    ...{ model: values.model, batch, imageSize, classes: 10, precision: 'bf16', step: 'captured', backend: 'native' },
    ...{ plugins: [], link: aloneWith(remapping) },
  });
const [mapped, plain] = [await open(true), await open(false)];

function rate(bench) {
  const before = cpuUsage();
  const clock = bench.time('predict', steps);
  const { user, system } = cpuUsage(before);
  return { clock, cpu: (steps * batch * 1e6) / (user + system) };
}

const rounds = Array.from({ length: Number(values.rounds) }, (_, round) => {
  const turn = round % 2 === 0 ? [mapped, plain] : [plain, mapped];
  const rates = new Map(turn.map((bench) => [bench, rate(bench)]));
  return { mapped: rates.get(mapped), plain: rates.get(plain) };
});
console.log(JSON.stringify(machine()));
for (const unit of ['clock', 'cpu']) {
  const ratios = rounds.map((round) => round.plain[unit] / round.mapped[unit]);
  console.log(
    `${values.model} bf16, by ${unit}: ${median(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`,
  );
}
process.exit(0);
