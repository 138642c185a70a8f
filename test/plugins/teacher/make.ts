// Makes the run of a teacher for the suites: a tiny network for squares of four classes, with weights as drawn.
// Run: npx jiti test/plugins/teacher/make.ts
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { createModel, type ModelOptions } from '../../../src/models/index.ts';
import { initialOf } from '../../../src/models/initial.ts';
import { modelSection } from '../../../src/models/options.ts';
import { checkpointPath, writeCheckpoint } from '../../../src/tracking/checkpoint.ts';
import { squares } from '../../support/squares.ts';
import { snapshotAfter } from '../../support/tracked-run.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const { classes, mean, std, shape } = squares().info;
const section = modelSection.parse({ name: 'mlp', width: 4, depth: 1 });
const { weights } = createModel(section as ModelOptions, { classes: classes.length, imageShape: shape });
const valuesOf = initialOf(weights, {}, 1);
const state = Object.fromEntries(
  weights.map((weight) => [weight.name, { shape: weight.shape, values: valuesOf(weight) }]),
);
await writeFile(`${folder}config.yaml`, stringify({ name: 'teacher', model: section }));
await writeFile(`${folder}subset.json`, `${JSON.stringify({ classes, mean, std })}\n`);
await writeCheckpoint(checkpointPath(folder, 1), {
  ...snapshotAfter(1),
  state,
  weights: weights.map(({ name }) => name),
});
