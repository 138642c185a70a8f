// Evaluation of many classes against PyTorch: loss, top-1, top-5, balanced accuracy, macro-F1, calibration and the pairs that are
// confused, of the same number of random logits in batches, each in a process of its own with one thread. Processor time, and growth of
// peak memory. Prints a table. The two sides see different logits, so their figures are not compared: that ours are right is in
// the tests (test/metrics).
//
//   npm run build && node bench/evaluation.mjs [--classes 8142] [--images 24426] [--batch 128] [--rounds 3] [--python python3] [--json FILE]
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createEvaluator } from '../dist/src/metrics/evaluator.js';
import { randomStream } from '../dist/src/random.js';
import { machine, median } from './support/report.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: {
    classes: option('8142'),
    images: option('24426'),
    batch: option('128'),
    rounds: option('3'),
    python: option('python3'),
    json: { type: 'string' },
    own: { type: 'boolean', default: false },
  },
});
const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const sizes = ['classes', 'images', 'batch'].flatMap((name) => [`--${name}`, values[name]]);

function evaluate() {
  const [classes, images, batch] = [values.classes, values.images, values.batch].map(Number);
  const random = randomStream('bench');
  const pool = Array.from({ length: 8 }, () => new Float32Array(batch * classes).map(() => random.uniform() * 8 - 4));
  const before = process.resourceUsage().maxRSS;
  const start = process.cpuUsage();
  const names = Array.from({ length: classes }, (_, c) => `class ${c}`);
  const evaluator = createEvaluator({ classes: names, classCounts: new Int32Array(classes).fill(100) });
  for (let at = 0; at < images; at += batch) {
    const n = Math.min(batch, images - at);
    const labels = Int32Array.from({ length: n }, (_, i) => ((at + i) * 7) % classes);
    evaluator.add(pool[(at / batch) % pool.length].subarray(0, n * classes), labels);
  }
  const { confusion } = evaluator.result();
  const { user, system } = process.cpuUsage(start);
  const megabytes = (process.resourceUsage().maxRSS - before) / 1024;
  console.log(JSON.stringify({ seconds: (user + system) / 1e6, megabytes, pairs: confusion.length }));
}

function ask(program, args) {
  const { stdout, stderr, status } = spawnSync(program, [...args, ...sizes], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args[0]} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

function main() {
  const rounds = Array.from({ length: Number(values.rounds) }, () => ({
    tailmix: ask(process.execPath, [fileURLToPath(import.meta.url), '--own']),
    pytorch: ask(values.python, [here('pytorch_evaluation.py')]),
  }));
  const of = (who, key) => median(rounds.map((round) => round[who][key]));
  const report = { ...machine(), sizes: values, rounds };
  console.error(`${report.cpu}, ${report.cores} cores, load ${report.load.toFixed(1)}; ${sizes.join(' ')}`);
  for (const who of ['tailmix', 'pytorch'])
    console.error(
      `${who}  ${of(who, 'seconds').toFixed(2)} s of a processor, ${of(who, 'megabytes').toFixed(0)} MB more`,
    );
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
}

if (values.own) evaluate();
else main();
