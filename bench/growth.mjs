// What work costs as it grows: images, classes, plugins, epochs. Each size runs in a process of its own: processor time, and
// peak memory and bytes written where there are any. `slope` is the exponent between the two largest sizes: 1 is linear.
//
//   npm run build && node bench/growth.mjs [--only manifest,classes] [--most 1e7] [--json FILE]
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { noiseData } from '../dist/src/bench/noise.js';
import { compose } from '../dist/src/compose/compose.js';
import { describeData } from '../dist/src/data/load-data.js';
import { epochIndices, splitSteps } from '../dist/src/data/sampler.js';
import { countLabels, drawRows, rowsByClass } from '../dist/src/data/subset.js';
import { createHooks } from '../dist/src/hooks.js';
import { createEvaluator } from '../dist/src/metrics/evaluator.js';
import { summarizeEpochs, withoutConfusions } from '../dist/src/metrics/summary.js';
import { modelOptions } from '../dist/src/models/options.js';
import { randomStream } from '../dist/src/random.js';
import { writeRunReport } from '../dist/src/report/run-report.js';
import { keepHistory } from '../dist/src/tracking/history.js';
import { openSpool } from '../dist/src/tracking/spool/write.js';
import { planEpoch } from '../dist/src/train/epoch.js';
import { decideStep } from '../dist/src/train/fit.js';
import { prepare } from '../dist/src/train/prepare.js';
import { realPlugins } from './support/plugins.mjs';
import { machine } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    most: { type: 'string', default: '1e7' },
    json: { type: 'string' },
    child: { type: 'string' },
    folder: { type: 'string' },
  },
});

const namesOf = (count) => Array.from({ length: count }, (_, c) => `class ${c}`);

/** Images per class, from 1,000 down to 2, as iNaturalist 2018 has them. */
const tail = (count) => namesOf(count).map((_, c) => Math.max(2, Math.round(1000 * 0.002 ** (c / (count - 1)))));

/** An evaluation of images, six in ten of them right. */
function evaluation(classCount, images) {
  const evaluator = createEvaluator({ classes: namesOf(classCount), classCounts: tail(classCount) });
  const logits = new Float32Array(classCount);
  for (let i = 0; i < images; i++) {
    const label = (i * 7) % classCount;
    const predicted = i % 10 < 6 ? label : (i * 13) % classCount;
    logits.fill(0);
    logits[predicted] = 8;
    evaluator.add(logits, Int32Array.of(label));
  }
  return evaluator.result();
}

/** Metrics of a run of ten classes. */
function epochsOf(count, test = evaluation(10, 1000)) {
  return Array.from({ length: count }, (_, i) => ({
    epoch: i + 1,
    step: 20 * (i + 1),
    learningRate: 0.1,
    train: { loss: 1 / (i + 1), accuracy: 0.5, relabelledShare: null, penalties: {} },
    test: i === count - 1 ? test : withoutConfusions({ test }).test,
    validation: null,
    seconds: 3,
    waitSeconds: 0,
    imagesPerSecond: 900,
  }));
}

const lineOf = (metrics) => `${JSON.stringify(withoutConfusions(metrics))}\n`;

/** Writes a run directory and its report. */
async function report(folder, classCount, epochs) {
  const summary = {
    ...{ name: 'bench', method: 'bench', seed: 1, subsetSeed: 0, subsetHash: 'a', configHash: 'b', status: 'finished' },
    ...{ reason: null, dataset: 'bench', classes: namesOf(classCount), classCounts: tail(classCount) },
    ...{ groups: { manyAbove: 100, fewBelow: 20 }, epochs: epochs.length, ...summarizeEpochs(epochs) },
    ...{ backend: 'native', stepMode: 'captured', stepModeReason: null, precision: 'fp32', precisionReason: null },
    ...{ seconds: 4, tailmix: '0.1.0' },
  };
  writeFileSync(join(folder, 'summary.json'), JSON.stringify(summary, null, 2));
  writeFileSync(join(folder, 'metrics.jsonl'), epochs.map(lineOf).join(''));
  writeFileSync(join(folder, 'config.yaml'), 'name: bench\n');
  await writeRunReport(folder);
}

const powers = (...exponents) => exponents.map((exponent) => 10 ** exponent);

/** What is measured. `prepare` and `work` get a size and a folder; `work` returns bytes written, if that is what grows. */
const works = {
  sampling: {
    what: 'images: long tail drawn, an epoch shuffled, one drawn by weight, both in steps of 128',
    sizes: powers(3, 4, 5, 6, 7),
    work(images) {
      const labels = new Int32Array(images).map((_, i) => i % 100);
      const rows = rowsByClass(labels, 100);
      const whole = rows.map(({ length }) => length);
      const subset = { indices: drawRows(rows, whole, 0), classCounts: Int32Array.from(countLabels(labels, 100)) };
      splitSteps(epochIndices(subset, null, randomStream('bench', 1)), 128);
      splitSteps(epochIndices(subset, new Float64Array(images).fill(1), randomStream('bench', 2)), 128);
    },
  },
  manifest: {
    what: 'images: a manifest of so many lines and 1,000 classes read, the run planned',
    sizes: powers(3, 4, 5, 6, 7),
    prepare(images, folder) {
      const file = openSync(join(folder, 'manifest.csv'), 'w');
      writeSync(file, 'path,label,split\n');
      for (let start = 0; start < images; start += 10_000) {
        const rows = Array.from({ length: Math.min(10_000, images - start) }, (_, k) => {
          const i = start + k;
          const label = i % Math.min(1000, images / 10);
          return `photos/${label}/${i}.jpg,species ${label},${i % 51 === 50 ? 'test' : 'train'}\n`;
        });
        writeSync(file, rows.join(''));
      }
      closeSync(file);
    },
    work: (_, folder) =>
      describeData({
        name: 'manifest',
        root: folder,
        imageSize: [224, 224],
        options: {},
        profile: 'none',
        subsetSeed: 0,
      }),
  },
  classes: {
    what: 'classes: 10,000 images evaluated, and the summary as JSON',
    sizes: [10, 100, 1000, 8142],
    work: (classes) => Buffer.byteLength(JSON.stringify(evaluation(classes, 10_000))),
  },
  'report-classes': {
    what: 'classes: the report of a run of ten epochs',
    sizes: [10, 100, 1000, 8142],
    work: (classes, folder) => report(folder, classes, epochsOf(10, evaluation(classes, 10_000))),
  },
  plugins: {
    what: 'plugins: 100,000 calls of a hook that each of them taps',
    sizes: [1, 3, 10, 30],
    work(plugins) {
      const hooks = createHooks();
      for (let i = 0; i < plugins; i++) hooks.computeLearningRate.tap(`plugin ${i}`, (rate) => rate * 0.999);
      for (let step = 0; step < 1e5; step++) hooks.computeLearningRate.call(0.1, { step });
    },
  },
  'real-plugins': {
    what: 'plugins: built-in ones that go together, from the 23rd on of your own: composed, and 10,000 steps decided',
    sizes: [1, 3, 10, 30],
    async work(count) {
      const plugins = await realPlugins(count);
      const batchSize = 128;
      const data = noiseData(10 * batchSize, 10, [16, 16, 3]);
      const model = modelOptions.parse({ name: 'small-cnn' });
      const preparation = await prepare({ name: 'bench', data, model, plugins, train: { epochs: 1, batchSize } });
      const composition = compose(plugins, preparation.info);
      const rows = { subset: data.train, seed: 0, epoch: 1, batchSize, dropLast: true, samplingWeights: null };
      const planned = planEpoch({ ...rows, groups: composition.groups });
      for (let step = 0; step < 1e4; step++) {
        const ctx = { epoch: 1, step, stepInEpoch: step % planned.length, rehearsal: false };
        decideStep({ ...preparation, composition }, planned[ctx.stepInEpoch], ctx);
      }
    },
  },
  metrics: {
    what: 'epochs: lines of metrics written, read and summed up',
    sizes: powers(0, 1, 2, 3, 4),
    work(epochs) {
      const lines = epochsOf(epochs).map(lineOf);
      summarizeEpochs(lines.map((line) => JSON.parse(line)));
      return Buffer.byteLength(lines.join(''));
    },
  },
  checkpoints: {
    what: 'epochs: the history in a checkpoint after each epoch',
    sizes: powers(0, 1, 2, 3, 4),
    async work(epochs, folder) {
      const all = epochsOf(epochs);
      const history = [];
      let bytes = 0;
      for (const metrics of all) {
        history.push(metrics);
        const { own } = await keepHistory(folder, history);
        bytes += Buffer.byteLength(JSON.stringify(own));
      }
      return bytes;
    },
  },
  mlflow: {
    what: 'epochs: 20 metrics of each recorded for MLflow, the spool opened again',
    sizes: powers(0, 1, 2, 3, 4),
    work(epochs, folder) {
      const first = () => ({ time: 0, uid: 'u', experiment: 'bench', name: 'bench', tags: {}, experimentTags: {} });
      const fail = (error) => {
        throw error;
      };
      const names = Array.from({ length: 20 }, (_, k) => `test/figure_${k}`);
      const spool = openSpool(folder, first, fail);
      for (let epoch = 1; epoch <= epochs; epoch++)
        spool.metrics(epoch, Object.fromEntries(names.map((name, k) => [name, k / epoch])));
      spool.close();
      openSpool(folder, first, fail).close();
    },
  },
  'report-epochs': {
    what: 'epochs: the report of a run of ten classes',
    sizes: powers(0, 1, 2, 3, 4),
    work: (epochs, folder) => report(folder, 10, epochsOf(epochs)),
  },
};

async function child() {
  const [name, size] = values.child.split(':');
  const { prepare, work } = name === 'idle' ? { work: () => {} } : works[name];
  prepare?.(Number(size), values.folder);
  const before = process.cpuUsage();
  const bytes = await work(Number(size), values.folder);
  const { user, system } = process.cpuUsage(before);
  const { maxRSS } = process.resourceUsage();
  console.log(
    JSON.stringify({
      seconds: (user + system) / 1e6,
      megabytes: maxRSS / 1024,
      ...(typeof bytes === 'number' && { bytes }),
    }),
  );
}

function measure(name, size) {
  const folder = mkdtempSync(join(process.env.TMPDIR ?? '/tmp', 'tailmix-growth-'));
  try {
    const file = fileURLToPath(import.meta.url);
    const { stdout, stderr } = spawnSync(process.execPath, [file, '--child', `${name}:${size}`, '--folder', folder], {
      encoding: 'utf8',
    });
    if (!stdout.includes('{')) throw new Error(`${name} ${size}: ${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main() {
  const chosen = values.only?.split(',') ?? Object.keys(works);
  const { cpu, cores, load, node } = machine();
  console.log(`${cpu}, ${cores} cores, load ${load.toFixed(1)}, Node ${node}\n`);
  console.log('| what | size | seconds | slope | MB | slope | bytes |\n|---|---|---|---|---|---|---|');
  const idle = measure('idle', 1);
  const rows = [];
  for (const name of chosen) {
    const { what, sizes } = works[name];
    let last = null;
    for (const size of sizes.filter((one) => one <= Number(values.most))) {
      const { seconds, megabytes, bytes = null } = measure(name, size);
      const point = { name, size, seconds, megabytes: Math.max(0, megabytes - idle.megabytes), bytes };
      const slope = (key) =>
        last && last[key] > 0 && point[key] > 0
          ? (Math.log(point[key] / last[key]) / Math.log(size / last.size)).toFixed(2)
          : '';
      rows.push({ ...point, slope: slope('seconds') });
      console.log(
        `| ${last ? '' : what} | ${size.toLocaleString('en')} | ${seconds.toFixed(3)} | ${slope('seconds')} | ${point.megabytes.toFixed(0)} | ${slope('megabytes')} | ${bytes === null ? '' : bytes.toLocaleString('en')} |`,
      );
      last = point;
    }
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...machine(), rows }, null, 2)}\n`);
}

if (values.child) await child();
else main();
