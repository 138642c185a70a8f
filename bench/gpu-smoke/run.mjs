// Started by gpu-smoke.sh, in a folder that pack.mjs made: ops, a training, a resumed one, all devices together, thousands of steps, and
// bench/device.mjs, all without TensorFlow. Prints a table, and writes JSON. Exit code 1 if a check fails.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { deviceFindings } from '../../dist/src/backend/doctor-device.js';
import { nativeFolder } from '../../dist/src/backend/paths.js';
import { chooseDevice } from '../../dist/src/pjrt/index.js';
import { version } from '../../dist/src/version.js';
import { TRAINING } from '../support/device-cases.mjs';
import { machine } from '../support/report.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: {
    json: option('gpu-smoke.json'),
    steps: option('5000'),
    // Of bench/device.mjs.
    python: option(''),
    jax: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: option('5'),
    seconds: option('5'),
  },
});
const root = fileURLToPath(new URL('../..', import.meta.url));
const recordings = join(root, 'recordings');
const work = mkdtempSync(join(tmpdir(), 'gpu-smoke-'));
const checks = [];
const report = {
  tailmix: version,
  date: new Date().toISOString(),
  ...machine(),
  device: null,
  found: [],
  checks,
  bench: null,
};

function node(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr.trim().split('\n').slice(-5).join('\n'));
  return { stdout, stderr };
}
const tailmix = (...args) => node(['bin/tailmix.mjs', ...args]);

/** Runs a check: it gives a figure as text, what to keep, and whether it is right. */
function check(name, run) {
  const start = performance.now();
  let result;
  try {
    result = run();
  } catch (error) {
    result = { right: false, text: error.message };
  }
  const seconds = (performance.now() - start) / 1000;
  checks.push({ name, seconds, ...result });
  console.log(`${result.right ? 'ok    ' : 'FAILED'} ${name.padEnd(34)} ${result.text}  (${seconds.toFixed(0)} s)`);
}

const epochsOf = (file) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const train = (name, ...more) => {
  const out = join(work, name);
  tailmix('train', ...TRAINING, '--recording', join(recordings, 'training.recording'), '--out', out, ...more);
  return out;
};
const logits = (run) => readFileSync(join(run, 'logits-test.safetensors'));
const percent = (share) => `${(100 * share).toFixed(2)} %`;

const found = await deviceFindings(nativeFolder('native'));
report.found = found.map(({ name, status, value }) => ({ name, status, value }));
let device;
try {
  device = chooseDevice('pjrt:all');
} catch (error) {
  console.error(`FAILED ${error.message}`);
  for (const { name, value, cure } of found) console.error(`  ${name}: ${value}${cure ? `\n    ${cure}` : ''}`);
  rmSync(work, { recursive: true });
  send();
  process.exit(1);
}
report.device = { platform: device.platform, kind: device.kind, count: device.count };
console.log(
  `${device.platform}, ${device.kind}, ${device.count} device(s); tailmix ${version}, Node ${process.version}, ${report.cores} × ${report.cpu}`,
);
for (const { name, value } of found) console.log(`${name}: ${value}`);
console.log('');

check('ops against TensorFlow on a CPU', () => {
  const found = JSON.parse(node(['bench/gpu-smoke/ops.mjs', recordings]).stdout);
  const { cases, right, refused, wrong, worst } = found;
  const text = `${right} of ${cases} within 1e-5 (worst ${worst.toExponential(1)}), ${refused.length} refused, ${wrong.length} wrong${wrong.length > 0 ? `: ${wrong.map(({ name }) => name).join(', ')}` : ''}`;
  return { right: wrong.length === 0, text, found };
});

let whole;
check('a training of 6 epochs', () => {
  whole = train('whole');
  const [got, expected] = [epochsOf(join(whole, 'metrics.jsonl')), epochsOf(join(recordings, 'training.jsonl'))];
  const first = Math.abs(got[0].train.loss / expected[0].train.loss - 1);
  const [last, known] = [got.at(-1).test.accuracy, expected.at(-1).test.accuracy];
  return {
    right: first < 0.01 && Math.abs(last - known) < 0.05,
    text: `first epoch's loss ${first.toExponential(1)} from TensorFlow's, accuracy ${percent(last)}, there ${percent(known)}`,
    losses: got.map(({ train: { loss } }) => loss),
  };
});

check('stopped after epoch 3 and resumed', () => {
  const part = train('part', '--until', '3');
  tailmix('train', '--resume', part, '--recording', join(recordings, 'training.recording'));
  const same = logits(part).equals(logits(whole));
  return { right: same, text: same ? 'the same logits, to the bit' : 'other logits' };
});

check('trained once more', () => {
  const same = logits(train('again')).equals(logits(whole));
  return {
    right: same,
    text: same ? 'the same logits, to the bit' : 'other logits: its kernels are not deterministic',
  };
});

if (device.count > 1 && 64 % device.count === 0) {
  check(`${device.count} devices share each batch`, () => {
    const several = epochsOf(join(train('several', '--device', 'pjrt:all'), 'metrics.jsonl'));
    const one = epochsOf(join(whole, 'metrics.jsonl'));
    const first = Math.abs(several[0].train.loss / one[0].train.loss - 1);
    return { right: first < 0.01, text: `first epoch's loss ${first.toExponential(1)} from one device's` };
  });
} else console.log(`SKIPPED several devices: there ${device.count === 1 ? 'is one' : `are ${device.count}`}`);

check(`memory over ${values.steps} steps`, () => {
  const found = JSON.parse(node(['bench/gpu-smoke/steady.mjs', recordings, values.steps]).stdout);
  const { residentGrowth, deviceGrowth } = found;
  const mebibytes = (bytes) => (bytes === null ? 'not told' : `${(bytes / 2 ** 20).toFixed(0)} MiB`);
  return {
    right: residentGrowth < 100 * 2 ** 20 && (deviceGrowth ?? 0) < 2 ** 20,
    text: `from the second fifth to the last: host ${mebibytes(residentGrowth)}, device ${mebibytes(deviceGrowth)}`,
    found,
  };
});

// Batches are as large as those that were recorded.
const given = values.only === undefined ? [] : ['--only', values.only];
const figures = join(work, 'device.json');
const { status } = spawnSync(
  process.execPath,
  [
    ...['bench/device.mjs', '--recordings', recordings, '--python', values.python, '--json', figures],
    ...['--rounds', values.rounds, '--seconds', values.seconds, ...given, ...(values.jax ? ['--jax'] : [])],
  ],
  { cwd: root, stdio: 'inherit' },
);
// What was checked is worth sending where the bench broke off too.
report.bench = existsSync(figures)
  ? JSON.parse(readFileSync(figures, 'utf8'))
  : { error: `bench/device.mjs ended with ${status ?? 'a signal'}`, results: [] };
rmSync(work, { recursive: true });
const { error, results } = report.bench;
if (error) console.log(`FAILED ${error}`);
send();
const isWrong = error || checks.some(({ right }) => !right) || results.some((result) => result.error);
process.exitCode = isWrong ? 1 : 0;

function send() {
  const file = resolve(values.json);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\n${file} has all of this and more: it is the file to send to who asked for it, whatever failed`);
}
