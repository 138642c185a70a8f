// What tracking costs. Points a second into the spool; points a second from there to a server of MLflow; and three runs
// that train digits an epoch each in turns (no tracking, a healthy server, a server that takes calls and never answers):
// processor time of the main thread in tracking as a share of the epoch's, bytes on the disk, paired times of epochs.
// Prints a table, or JSON.
//
//   npm run build && node bench/tracking.mjs [--epochs 15] [--model small-cnn] [--points 50000] [--json FILE]
//
// The server needs `mlflow` in PATH, or a Python that has it. Processor time of a thread is read from Linux's /proc.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import mlflow from '../dist/plugins/mlflow/index.js';
import { createTrainer, definePlugin, Order, openSpool, z } from '../dist/src/index.js';
import { findMlflow, startLocalServer } from '../dist/src/tracking/local-server.js';
import { createMlflowClient } from '../dist/src/tracking/mlflow/client.js';
import { resolveSettings } from '../dist/src/tracking/mlflow/settings.js';
import { spoolFiles } from '../dist/src/tracking/spool/records.js';
import { createSender } from '../dist/src/tracking/spool/send.js';
import { machine, median } from './support/report.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: {
    epochs: option('15'),
    model: option('small-cnn'),
    points: option('50000'),
    json: { type: 'string' },
    child: { type: 'string' },
  },
});
const epochs = Number(values.epochs);
const KEYS = 10;

async function measure() {
  const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const server = await startLocalServer(await findMlflow(), join(folder, 'server'), { port: 0 });
  try {
    const spool = fillSpool(join(folder, 'spool'), Number(values.points));
    const flush = await sendSpool(join(folder, 'spool'), server.url, Number(values.points));
    const training = await inTurns(folder, {
      none: null,
      healthy: server.url,
      blackHole: `http://127.0.0.1:${silent.address().port}`,
    });
    const result = { machine: machine(), model: values.model, epochs, spool, flush, training };
    if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
    else print(result);
  } finally {
    await server.stop();
    silent.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Points a second into the spool of a new run, {@link KEYS} a line. */
function fillSpool(directory, points) {
  const first = () => ({ time: Date.now(), uid: 'bench', experiment: 'bench', name: 'bench', tags: {} });
  const spool = openSpool(directory, first, (error) => {
    throw error;
  });
  const begin = performance.now();
  for (let step = 1; step <= points / KEYS; step++)
    spool.metrics(
      step,
      Object.fromEntries(Array.from({ length: KEYS }, (_, i) => [`bench/metric ${i}`, step / (i + 3)])),
    );
  const seconds = (performance.now() - begin) / 1000;
  spool.close();
  return {
    points,
    pointsPerSecond: points / seconds,
    bytesPerPoint: statSync(join(directory, spoolFiles.spool)).size / points,
  };
}

/** Points a second from a spool to a server. */
async function sendSpool(directory, url, points) {
  const client = createMlflowClient(resolveSettings(url, {}, directory));
  const begin = performance.now();
  await createSender(directory, { client, onRemark: (remark) => process.stderr.write(`${remark}\n`) }).send();
  const seconds = (performance.now() - begin) / 1000;
  await client.close();
  return { points, pointsPerSecond: points / seconds };
}

/** Trains one run for each server, an epoch each in turns: whoever waits is stopped, its threads too. */
async function inTurns(folder, servers) {
  const runs = [];
  for (const [name, url] of Object.entries(servers)) {
    const directory = mkdtempSync(join(folder, `${name}-`));
    const env = { ...process.env, BENCH_DIRECTORY: directory, BENCH_SERVER: url ?? '', MLFLOW_TRACKING_URI: '' };
    const flags = ['--child', name, '--epochs', values.epochs, '--model', values.model];
    const child = fork(fileURLToPath(import.meta.url), flags, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    runs.push({ name, child, found: [] });
    await next(child);
    child.kill('SIGSTOP');
  }
  for (let epoch = 1; epoch <= epochs; epoch++)
    for (const { child, found } of runs) {
      child.kill('SIGCONT');
      child.send('go');
      found.push(await next(child));
      if (epoch < epochs) child.kill('SIGSTOP');
    }
  for (const { child } of runs) {
    if (child.exitCode !== null) continue;
    child.send('go');
    await once(child, 'exit');
  }
  // The first epoch warms up.
  const [none, ...tracked] = runs.map(({ name, found }) => ({ name, found: found.slice(1) }));
  return {
    epochSeconds: median(none.found.map(({ seconds }) => seconds)),
    ...Object.fromEntries(
      tracked.map(({ name, found }) => {
        const ratios = found.map(({ seconds }, i) => seconds / none.found[i].seconds).sort((a, b) => a - b);
        return [
          name,
          {
            shareOfEpoch: sum(found, 'tracking') / 1e9 / sum(found, 'seconds'),
            shareOfMainThread: sum(found, 'tracking') / sum(found, 'cpu'),
            trackingMilliseconds: median(found.map(({ tracking }) => tracking / 1e6)),
            bytesPerEpoch: median(found.map(({ bytes }) => bytes)),
            pairedEpochTime: {
              median: median(ratios),
              quartiles: [0.25, 0.75].map((q) => ratios[Math.floor(q * ratios.length)]),
            },
          },
        ];
      }),
    ),
  };
}

const next = async (child) => {
  const turn = new AbortController();
  const { signal } = turn;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`a run ended with ${code}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended]);
    return message;
  } finally {
    turn.abort();
  }
};
const sum = (list, key) => list.reduce((total, item) => total + item[key], 0);

/** A run that waits before each epoch until it is told to go, and then reports what the last one took. */
async function train(name, directory) {
  const cpu = mainThread();
  let tracking = 0;
  const timed =
    (fn) =>
    (...args) => {
      const begin = cpu();
      const end = () => {
        tracking += cpu() - begin;
      };
      const result = fn(...args);
      if (result instanceof Promise) return result.finally(end);
      end();
      return result;
    };
  const tracker = definePlugin({
    ...mlflow.definition,
    apply: (context, options) => {
      const hooks = Object.fromEntries(
        Object.entries(context.hooks).map(([name, hook]) => [
          name,
          {
            tap: (tap, fn) => hook.tap(tap, timed(fn)),
            tapPromise: (tap, fn) => hook.tapPromise(tap, timed(fn)),
          },
        ]),
      );
      return mlflow.definition.apply({ ...context, hooks }, options);
    },
  });
  let start;
  const bytes = () => statSync(join(directory, spoolFiles.spool), { throwIfNoEntry: false })?.size ?? 0;
  const gate = definePlugin({
    name: 'gate',
    options: z.strictObject({}),
    apply({ hooks }) {
      const go = async (report) => {
        process.send(report);
        await once(process, 'message');
        start = { at: performance.now(), cpu: cpu(), tracking, bytes: bytes() };
      };
      hooks.onTrainBegin.tapPromise({ name: 'gate', stage: Order.Observe + 900 }, () => go('ready'));
      hooks.onEpochEnd.tapPromise({ name: 'gate', stage: Order.Observe + 900 }, () =>
        go({
          seconds: (performance.now() - start.at) / 1000,
          cpu: cpu() - start.cpu,
          tracking: tracking - start.tracking,
          bytes: bytes() - start.bytes,
        }),
      );
    },
  });
  const server = process.env.BENCH_SERVER;
  await createTrainer({
    name,
    data: { name: 'digits', ratio: 100 },
    model: { name: values.model },
    train: { epochs, batchSize: 64 },
    plugins: [...(server ? [tracker({ server, patience: 1 })] : []), gate()],
    directory,
  }).run();
  process.disconnect();
}

/** Reads the nanoseconds that the main thread was on a processor. */
function mainThread() {
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const buffer = Buffer.alloc(64);
  return () => Number.parseInt(buffer.toString('latin1', 0, readSync(file, buffer, 0, 64, 0)), 10);
}

function print({ machine, model, spool, flush, training: { epochSeconds, ...runs } }) {
  const say = (line) => process.stdout.write(`${line}\n`);
  const round = (value, digits) => value.toFixed(digits);
  say(`${machine.cpu}, ${machine.cores} cores, load ${round(machine.load, 1)}, Node ${machine.node}`);
  say(`into the spool:  ${round(spool.pointsPerSecond, 0)} points/s, ${round(spool.bytesPerPoint, 0)} bytes a point`);
  say(`to the server:   ${round(flush.pointsPerSecond, 0)} points/s`);
  say(`an epoch (${model} on digits) without tracking: ${round(epochSeconds, 2)} s`);
  for (const [name, run] of Object.entries(runs)) {
    const { median: middle, quartiles } = run.pairedEpochTime;
    say(
      `${name}: ${round(100 * run.shareOfEpoch, 2)} % of an epoch, ${round(100 * run.shareOfMainThread, 2)} % of the main thread, ${round(run.trackingMilliseconds, 1)} ms, ` +
        `${run.bytesPerEpoch} bytes, epoch time x ${round(middle, 3)} (${quartiles.map((q) => round(q, 3)).join(' to ')})`,
    );
  }
}

if (values.child === undefined) await measure();
else await train(values.child, process.env.BENCH_DIRECTORY);
