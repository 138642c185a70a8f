// The start of training on a manifest as large as iNaturalist 2018 (437,513 rows in 8,142 classes, and 24,426 to evaluate
// on) whose images are packed already: seconds from `tailmix train` to the end of the first step, phase by phase. The images are
// small (32 x 32), yet their packed file is, as a real one, too large to be read into memory. Prints a table, or JSON.
//
//   npm run build && node bench/start.mjs [--rounds 5] [--rows 437513] [--model resnet32] [--json FILE]
//
// Packing decodes every row: minutes, and 2 GB in the temporary folder.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createJiti } from 'jiti';
import { preparePackedSet } from './support/packed-set.mjs';
import { machine, median } from './support/report.mjs';
import { phasesPlugin, tailmix } from './support/watch.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: { rounds: option('5'), rows: option('437513'), model: option('resnet32'), json: { type: 'string' } },
});
const { fullCounts, mixedCategories, TRAIN_IMAGES, VAL_IMAGES_PER_CLASS } = await createJiti(import.meta.url).import(
  '../test/support/inat2018.ts',
);
const SIDE = 32;
const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
try {
  const share = Number(values.rows) / TRAIN_IMAGES;
  const counts = fullCounts().slice(0, Math.ceil(fullCounts().length * Math.sqrt(share)));
  const train = mixedCategories(counts).slice(0, Number(values.rows));
  const seen = [...new Set(train)];
  const test = Int32Array.from(seen.flatMap((own) => Array(VAL_IMAGES_PER_CLASS).fill(own)));
  const { config, env } = await preparePackedSet(folder, {
    train,
    test,
    side: SIDE,
    config: {
      data: { imageSize: SIDE, augment: [{ name: 'pad-crop' }, { name: 'flip' }] },
      model: { name: values.model },
      train: { epochs: 1, batchSize: 128 },
      plugins: [{ use: phasesPlugin }],
    },
  });
  const rounds = [];
  let without = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const { phases, ...seen } = await tailmix(['train', config, '--out', join(folder, `run-${round}`)], {
      env,
      until: 'first step',
    });
    without = seen.without;
    rounds.push(Object.fromEntries(phases.map(({ phase, ...own }) => [phase, own])));
  }
  const names = Object.keys(rounds[0]);
  const report = {
    ...machine(),
    without,
    rows: train.length,
    classes: seen.length,
    model: values.model,
    seconds: median(rounds.map((round) => round['first step'].seconds)),
    phases: names.map((phase, i) => ({
      phase,
      seconds: median(rounds.map((round) => round[phase].seconds - (round[names[i - 1]]?.seconds ?? 0))),
      cpuSeconds: median(rounds.map((round) => round[phase].cpuSeconds - (round[names[i - 1]]?.cpuSeconds ?? 0))),
      at: median(rounds.map((round) => round[phase].seconds)),
    })),
    rounds,
  };
  console.error(`${report.cpu}, ${report.cores} cores, load ${report.load.toFixed(1)}, Node ${report.node}
${report.rows} rows, ${report.classes} classes, ${report.model}`);
  for (const { phase, seconds, cpuSeconds, at } of report.phases)
    console.error(
      `${phase.padEnd(16)} ${seconds.toFixed(2).padStart(6)} s (${cpuSeconds.toFixed(2)} s of processors), at ${at.toFixed(2).padStart(6)} s`,
    );
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
