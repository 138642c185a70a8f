import { resolve } from 'node:path';
import { compose } from '../compose/compose.ts';
import type { Composition } from '../compose/types.ts';
import type { LoadedData } from '../data/types.ts';
import { startOf } from '../models/open.ts';
import { publishedOf } from '../models/published/read.ts';
import type { Snapshot } from '../run.ts';
import { findBackbone } from '../tracking/backbone.ts';
import { backboneValues } from '../train/backbone-values.ts';
import { baseModel } from '../train/describe-run.ts';
import { optionsAt, phasesOf } from '../train/phases.ts';
import { type Preparation, prepare, type TrainerOptions } from '../train/prepare.ts';
import { predictProgram } from './predict-program.ts';

/**
 * A run on features with its backbone, as one network of images: the weights of the backbone as the run began with them, and the
 * classifier as a checkpoint has it.
 *
 * @param data - the images that features were computed from, described
 * @throws {TailmixError} CHECKPOINT_BACKBONE for published weights that are nowhere, and what opening model and weights throws.
 */
export async function wholeNetwork(
  options: TrainerOptions,
  { data, checkpoint, snapshot }: { data: LoadedData; checkpoint: string; snapshot: Snapshot },
): Promise<Preparation & { composition: Composition; snapshot: Snapshot }> {
  const begun = await fromFile({ ...options, data }, checkpoint);
  const { classes } = data.info;
  const [first] = phasesOf(begun);
  const base = await baseModel(begun, data.info);
  const values = await backboneValues(first!.options, base, { seed: begun.seed ?? 0, classes });
  const own = optionsAt(begun, snapshot.epoch);
  const freeze = own.start?.freeze ?? startOf(own.model).freeze ?? [];
  const start = { ...own.start, freeze: [...freeze, 'backbone'], frozenNorm: 'running' as const };
  const preparation = await prepare({ ...own, start, resume: snapshot });
  const composition = compose(own.plugins ?? [], preparation.info);
  const program = predictProgram({ ...preparation, composition, start: { ...preparation.start, initial: values } }, 1);
  const weights = preparation.model.weights.map(({ name }) => name);
  const whole = { ...snapshot, weights, state: { ...program.state, ...snapshot.state } };
  return { ...preparation, options: { ...preparation.options, resume: whole }, composition, snapshot: whole };
}

/** Options whose published weights are found by their checksum, wherever the file is now. */
async function fromFile(options: TrainerOptions, checkpoint: string): Promise<TrainerOptions> {
  const published = publishedOf(startOf(options.model));
  if (!published?.sha256) return options;
  const { file, sha256 } = published;
  const found = await findBackbone(checkpoint, { ...published, sha256, path: resolve(file) });
  return { ...options, model: { ...options.model, weights: { file: found, sha256 } } as TrainerOptions['model'] };
}
