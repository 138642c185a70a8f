// Predicts how training scales to 64 machines, from what bench/cluster.mjs and bench/cluster-step.mjs measured on one, and draws the chart of
// docs/cluster.md. It is a prediction: what it assumes is written there.
//
//   npm run build && node bench/cluster-prediction.mjs [--sums FILE,… --steps FILE,…]
//
// Without files, it draws again what docs/images/cluster-prediction.json holds.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawChartFile } from '../dist/src/report/charts/render.js';

const { values } = parseArgs({ options: { sums: { type: 'string' }, steps: { type: 'string' } } });
const image = (kind) => new URL(`../docs/images/cluster-prediction.${kind}`, import.meta.url);
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

const MACHINES = [1, 2, 4, 8, 16, 32, 64];
const NETWORKS = [10, 100];
/** Cores of each machine, and of the one that was measured. */
const CORES = 2;
/** With the floats that a step sums: weights, statistics and a loss. */
const NETS = [
  { title: 'ResNet-32', name: 'resnet32-fp32', floats: 464_154 },
  { title: 'ResNet-50', name: 'resnet50-fp32', floats: 25_557_032 },
];

/** What was measured: best milliseconds of a sum by floats and processes, and images per second of one process on all cores, by the clock. */
function measured() {
  if (values.sums === undefined) return json(image('json'));
  const [rows, steps] = [values.sums, values.steps].map((paths) => paths.split(',').flatMap((path) => json(path).rows));
  return {
    machine: json(values.steps.split(',')[0]).machine,
    sums: rows.map(({ processes, floats, load, tensorflow }) => ({ processes, floats, load, best: tensorflow.best })),
    steps: steps
      .filter(({ name }) => NETS.some((net) => net.name === name))
      .map(({ name, batch, load, clock }) => ({ name, batch, load, imagesPerSecond: clock.one })),
  };
}

const megabytes = (floats) => (4 * floats) / 1e6;

/**
 * Milliseconds of a message and of a megabyte, so that a ring of N processes that share the cores takes (N − 1)·(2·message + (2 / cores)·perMegabyte·S),
 * by least squares of relative errors: 2(N − 1) messages after one another, in which each process handles 2(N − 1)/N·S with 2/N of a core.
 */
function fitted(sums) {
  const rows = sums.map(({ processes, floats, best }) => {
    const hops = processes - 1;
    return [(2 * hops) / best, ((2 / CORES) * hops * megabytes(floats)) / best];
  });
  const dot = (a, b) => rows.reduce((sum, row) => sum + row[a] * row[b], 0);
  const total = (a) => rows.reduce((sum, row) => sum + row[a], 0);
  const determinant = dot(0, 0) * dot(1, 1) - dot(0, 1) ** 2;
  const message = (total(0) * dot(1, 1) - total(1) * dot(0, 1)) / determinant;
  const perMegabyte = (total(1) * dot(0, 0) - total(0) * dot(0, 1)) / determinant;
  const errors = rows.map(([a, b]) => Math.abs(a * message + b * perMegabyte - 1));
  return { message, perMegabyte, error: Math.max(...errors) };
}

const found = measured();
const { message, perMegabyte, error } = fitted(found.sums);
console.log(
  `fitted: ${message.toFixed(2)} ms a message, ${perMegabyte.toFixed(2)} ms a megabyte; off by ${(100 * error).toFixed(0)}% at most`,
);
const points = [];
for (const { title, name, floats } of NETS) {
  const { batch, imagesPerSecond } = found.steps.find((step) => step.name === name);
  const compute = (1000 * batch) / imagesPerSecond;
  for (const gigabits of NETWORKS) {
    for (const machines of MACHINES) {
      const wire = 8 / gigabits;
      const share = (2 * (machines - 1)) / machines;
      const sum = 2 * (machines - 1) * message + share * megabytes(floats) * (perMegabyte + wire);
      const faster = (machines * compute) / (compute + sum);
      points.push({ line: `${title}, ${gigabits} Gbit/s`, machines, faster });
      console.log(
        `${name}, ${gigabits} Gbit/s, ${machines} machines: step ${compute.toFixed(0)} + ${sum.toFixed(0)} ms, ${faster.toFixed(1)} times as fast`,
      );
    }
  }
}
const lines = [...new Set(points.map(({ line }) => line))];
const axis = (title) => ({
  type: 'quantitative',
  title,
  scale: { type: 'log', base: 2 },
  axis: { grid: true, values: MACHINES },
});
const spec = {
  data: {
    values: [
      ...points,
      ...MACHINES.map((machines) => ({ line: 'as many times as machines', machines, faster: machines })),
    ],
  },
  width: 560,
  height: 360,
  mark: { type: 'line', point: true },
  encoding: {
    x: { field: 'machines', ...axis('machines of two cores') },
    y: { field: 'faster', ...axis('times as fast as one') },
    color: {
      field: 'line',
      type: 'nominal',
      scale: {
        domain: [...lines, 'as many times as machines'],
        range: ['var(--m1)', 'var(--m1)', 'var(--m2)', 'var(--m2)', 'var(--m0)'],
      },
      legend: { columns: 2, labelLimit: 320 },
    },
    strokeDash: {
      field: 'line',
      type: 'nominal',
      scale: {
        domain: [...lines, 'as many times as machines'],
        range: [
          [6, 3],
          [1, 0],
          [6, 3],
          [1, 0],
          [2, 2],
        ],
      },
    },
  },
};
const description = 'Prediction, not measured: images per second of several machines, weak scaling';
writeFileSync(image('svg'), await drawChartFile(spec, description));
writeFileSync(image('json'), `${JSON.stringify(found, null, 2)}\n`);
