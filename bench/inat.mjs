// Annotations as large as those of iNaturalist 2018 (437,513 images in 8,142 classes and 24,426 for validation; every field
// of the published files), generated, then prepared without images by `tailmix data prepare`: seconds and peak memory.
// Prints a table, or JSON.
//
//   npm run build && node bench/inat.mjs [--rounds 3] [--json FILE]
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createJiti } from 'jiti';
import { machine, median } from './support/report.mjs';
import { tailmix } from './support/watch.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, json: { type: 'string' } } });
const { fullCounts, writeAnnotations, TRAIN_IMAGES, VAL_IMAGES_PER_CLASS } = await createJiti(import.meta.url).import(
  '../test/support/inat2018.ts',
);
const root = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
try {
  const folder = join(root, 'inat2018');
  mkdirSync(folder);
  const counts = fullCounts();
  const files = { train: join(folder, 'train2018.json'), val: join(folder, 'val2018.json') };
  await writeAnnotations(files.train, counts);
  await writeAnnotations(
    files.val,
    counts.map(() => VAL_IMAGES_PER_CLASS),
    TRAIN_IMAGES + 1,
  );
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const args = ['data', 'prepare', 'inat2018', '--without-images', '--data-root', root, '--json'];
    const { seconds, peakBytes, output } = await tailmix(args);
    const { classes, train, test } = JSON.parse(output);
    rounds.push({ seconds, peakBytes, classes, train, test });
  }
  const [{ classes, train, test }] = rounds;
  const report = {
    ...machine(),
    bytes: Object.values(files).reduce((sum, file) => sum + statSync(file).size, 0),
    classes,
    train,
    test,
    seconds: median(rounds.map(({ seconds }) => seconds)),
    peakBytes: Math.max(...rounds.map(({ peakBytes }) => peakBytes)),
    rounds,
  };
  console.error(`${report.cpu}, ${report.cores} cores, load ${report.load.toFixed(1)}, Node ${report.node}
annotations  ${(report.bytes / 1e6).toFixed(0)} MB: ${train} training images of ${classes} classes, ${test} of validation
prepared in  ${report.seconds.toFixed(1)} s, ${rounds.map(({ seconds }) => seconds.toFixed(1)).join(', ')}
peak memory  ${(report.peakBytes / 1e6).toFixed(0)} MB`);
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
} finally {
  rmSync(root, { recursive: true, force: true });
}
