// What the report of many runs costs: made-up run directories, `tailmix report` on them in a process of its own (time, processor time,
// peak memory), bytes of each file, and how long Chromium takes to show the page and to jump to its end, where there is one.
//
//   npm run build && node bench/report.mjs [--methods 100] [--seeds 10] [--classes 1000] [--epochs 20] [--keep FOLDER] [--json FILE]
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { summarizeEpochs, withoutConfusion } from '../dist/src/metrics/summary.js';
import { randomStream } from '../dist/src/random.js';
import { machine } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    methods: { type: 'string', default: '100' },
    seeds: { type: 'string', default: '10' },
    classes: { type: 'string', default: '1000' },
    epochs: { type: 'string', default: '20' },
    keep: { type: 'string' },
    json: { type: 'string' },
  },
});
const [METHODS, SEEDS, CLASSES, EPOCHS] = [values.methods, values.seeds, values.classes, values.epochs].map(Number);
const TEST_IMAGES = 10;

const classes = Array.from({ length: CLASSES }, (_, c) => `species ${c}`);
const classCounts = classes.map((_, c) => Math.max(2, Math.round(1000 * 0.002 ** (c / (CLASSES - 1)))));
const groups = { manyAbove: 100, fewBelow: 20 };
const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;

/** An evaluation of ten images of each class, of which about a share is right; what is wrong is taken for two other classes. */
function evaluation(share, draws) {
  const perClass = [];
  const confusion = [];
  for (let c = 0; c < CLASSES; c++) {
    const odds = share * (1 - (0.6 * c) / CLASSES);
    let right = 0;
    for (let i = 0; i < TEST_IMAGES; i++) if (draws.uniform() < odds) right++;
    perClass.push(right / TEST_IMAGES);
    const others = [(c + 1) % CLASSES, draws.integer(CLASSES)].filter((other) => other !== c);
    const pairs = new Map([[c, right]]);
    for (let i = right; i < TEST_IMAGES; i++) {
      const other = others[i % others.length];
      pairs.set(other, (pairs.get(other) ?? 0) + 1);
    }
    for (const [predicted, count] of [...pairs].sort(([a], [b]) => a - b))
      if (count > 0) confusion.push([c, predicted, count]);
  }
  const of = (test) => mean(perClass.filter((_, c) => test(classCounts[c])));
  const accuracy = mean(perClass);
  const worst = perClass.indexOf(Math.min(...perClass));
  return {
    ...{ count: TEST_IMAGES * CLASSES, loss: 3 * (1 - accuracy), accuracy, balancedAccuracy: accuracy, perClass },
    many: of((count) => count > 100),
    medium: of((count) => count >= 20 && count <= 100),
    few: of((count) => count < 20),
    worstClass: { label: worst, name: classes[worst], accuracy: perClass[worst] },
    ...{ macroF1: accuracy, ece: 0.05, top5: Math.min(1, accuracy + 0.2), confusion },
    reliability: Array.from({ length: 15 }, (_, b) => ({
      count: Math.round((TEST_IMAGES * CLASSES) / 15),
      confidence: (b + 0.5) / 15,
      accuracy: Math.max(0, (b - 0.5) / 15),
    })),
  };
}

function writeRun(folder, method, seed) {
  const draws = randomStream(seed, 'bench', method);
  const epochs = Array.from({ length: EPOCHS }, (_, i) => ({
    ...{ epoch: i + 1, step: 20 * (i + 1), learningRate: 0.1 },
    train: { loss: 3 / (i + 1), accuracy: i / EPOCHS, relabelledShare: null, penalties: {} },
    test: evaluation((0.3 + (0.3 * method) / METHODS) * (1 - 1 / (i + 2)), draws),
    ...{ validation: null, seconds: 3 + draws.uniform(), waitSeconds: 0, imagesPerSecond: 900 + 100 * draws.uniform() },
  }));
  const name = `method-${method}`;
  const summary = {
    ...{ name, method: name, seed, subsetSeed: 0, subsetHash: 'a'.repeat(64), configHash: 'b', status: 'finished' },
    ...{ reason: null, dataset: 'bench', classes, classCounts, groups, epochs: EPOCHS, ...summarizeEpochs(epochs) },
    ...{ backend: 'native', stepMode: 'captured', stepModeReason: null, precision: 'fp32', precisionReason: null },
    ...{ seconds: 60 + method, tailmix: '0.1.0' },
  };
  const directory = join(folder, `${name}-seed${seed}`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'summary.json'), JSON.stringify(summary, null, 2));
  const lines = epochs.map((epoch) => `${JSON.stringify({ ...epoch, test: withoutConfusion(epoch.test) })}\n`);
  writeFileSync(join(directory, 'metrics.jsonl'), lines.join(''));
  writeFileSync(
    join(directory, 'config.yaml'),
    `name: ${name}\nmethod: ${name}\nseed: ${seed}\ntrain: { epochs: ${EPOCHS} }\nplugins: [{ use: remix, kappa: ${1 + method} }]\n`,
  );
}

/** Milliseconds until the page is drawn, and until its end is after a jump there; null without a Chromium. */
async function inChromium(page) {
  const executablePath = [process.env.TAILMIX_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
    (path) => path !== undefined && existsSync(path),
  );
  if (executablePath === undefined) return null;
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  try {
    const tab = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    tab.setDefaultTimeout(0);
    const drawn = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))';
    const begun = performance.now();
    await tab.goto(pathToFileURL(page).href, { timeout: 0 });
    await tab.evaluate(drawn);
    const loaded = performance.now();
    await tab.evaluate(`document.querySelector('footer').scrollIntoView({ behavior: 'instant' }); ${drawn}`);
    const ended = performance.now();
    const elements = await tab.evaluate("document.querySelectorAll('*').length");
    return { loadMs: Math.round(loaded - begun), jumpMs: Math.round(ended - loaded), elements };
  } finally {
    await browser.close();
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'tailmix-bench-report-'));
const folder = resolve(values.keep ?? join(scratch, 'runs'));
if (!existsSync(folder)) {
  mkdirSync(folder, { recursive: true });
  for (let method = 0; method < METHODS; method++)
    for (let seed = 0; seed < SEEDS; seed++) writeRun(folder, method, seed);
}
try {
  const out = join(scratch, 'report');
  const peakFile = join(scratch, 'peak');
  const launcher = fileURLToPath(new URL('../bin/tailmix.mjs', import.meta.url));
  const begun = performance.now();
  const ran = spawnSync(
    process.execPath,
    [
      '--import',
      new URL('./support/peak.mjs', import.meta.url).href,
      launcher,
      '--quiet',
      'report',
      folder,
      '--out',
      out,
    ],
    { env: { ...process.env, BENCH_PEAK: peakFile }, encoding: 'utf8', maxBuffer: 2 ** 30 },
  );
  if (ran.status !== 0) throw new Error(ran.stderr);
  const files = Object.fromEntries(readdirSync(out).map((file) => [file, statSync(join(out, file)).size]));
  const page = join(
    out,
    readdirSync(out).find((file) => file.endsWith('.html')),
  );
  const result = {
    machine: machine(),
    ...{ methods: METHODS, seeds: SEEDS, classes: CLASSES, epochs: EPOCHS },
    seconds: (performance.now() - begun) / 1000,
    peakMB: Math.round(Number(readFileSync(peakFile, 'utf8')) / 1e6),
    bytes: files,
    chromium: await inChromium(page),
  };
  console.log(JSON.stringify(result, null, 1));
  if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
