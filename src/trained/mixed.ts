import { createLoader } from '../data/loader/loader.ts';
import type { Shape } from '../data/transforms/augment.ts';
import { MIX } from '../step/batch.ts';
import { boxMask, isBox, mixStage } from '../step/inputs.ts';
import type { Batch, Targets } from '../step/types.ts';
import { resolveSettings } from '../train/describe-run.ts';
import { planEpoch, strengthIn } from '../train/epoch.ts';
import { decideStep } from '../train/fit.ts';
import { phasesOf } from '../train/phases.ts';
import { planRun } from '../train/plan-run.ts';
import { groupSources } from '../train/rows.ts';
import type { TrainedRun } from './open.ts';

/** An image as a run was trained on it. */
export interface MixedRow {
  /** `[height, width, channels]` each, augmented; `mixed` is null where features are mixed, not pixels. */
  own: Uint8Array;
  partner: Uint8Array;
  mixed: Uint8Array | null;
  label: number;
  pairLabel: number;
  /** Share of `own` in the pixels, and with Mixup in the label. */
  lambda: number;
  /** Share of `label` in the label that was trained on. */
  labelWeight: number;
}

/** A batch that a run was trained on. */
export interface MixedBatch {
  /** Of the run, from 1. */
  epoch: number;
  /** In the epoch, from 1. */
  step: number;
  /** `input`, `input:box` or a stage of the network. */
  mix: string;
  size: number;
  /** Rows that have another one as their partner, and rows whose label is not weighted as their pixels are. */
  pairs: number;
  relabelled: number;
  /** Some of these pairs, in the order of the batch. */
  rows: MixedRow[];
}

/** Rows of a sample; batches in which a mixer may draw that nothing is mixed. */
const [ROWS, TRIES] = [8, 20];

/**
 * The first batch in which a run mixed anything, of the first phase that mixes: made again from its config and its random streams, as
 * training made it. It is of the phase's first epoch, in which plugins are as they begin, so that no state of theirs has to be known.
 *
 * @param run - opened with `readImages`
 * @returns null where nothing mixes images
 */
export async function mixedBatch({ whole, data }: Pick<TrainedRun, 'whole' | 'data'>): Promise<MixedBatch | null> {
  if (data.info.features) return null;
  const { info: all, phases } = await planRun({ ...whole, data });
  const place = phases.findIndex(({ composition }) => 'mix' in composition.provides);
  if (place < 0) return null;
  const { composition, info } = phases[place]!;
  const { hooks, groups } = composition;
  const settings = resolveSettings(phasesOf(whole)[place]!.options);
  const epoch = 1 + phases.slice(0, place).reduce((sum, phase) => sum + phase.info.epochs, 0);
  const ctx = { epoch: 1, rehearsal: false };
  const steps = planEpoch({
    subset: data.train,
    validation: data.validation,
    seed: info.seed,
    epoch,
    phaseEpoch: 1,
    batchSize: info.batchSize,
    dropLast: settings.train.dropLast,
    samplingWeights: hooks.computeSamplingWeights.call(null, ctx),
    groups,
    strength: strengthIn(hooks, info, ctx),
  }).slice(0, TRIES);
  const { shape } = data.info;
  const loading = { augment: data.augment, mean: data.info.mean, seed: info.seed, epochs: all.epochs, workers: 0 };
  const loader = createLoader({ shape, ...loading });
  try {
    let stepInEpoch = 0;
    for await (const { images } of loader.load(data.train.split, steps, epoch, true, groupSources(composition, data))) {
      const planned = steps[stepInEpoch++]!;
      const fit = { composition, info, settings };
      const { batch, targets } = decideStep(fit, planned, { ...ctx, step: stepInEpoch, stepInEpoch });
      const sample = sampleOf(batch, targets, images, shape);
      if (sample) return { epoch, step: stepInEpoch, ...sample };
    }
    return null;
  } finally {
    await loader.close();
  }
}

function sampleOf(
  batch: Batch,
  targets: Targets,
  images: Uint8Array,
  shape: Shape,
): Omit<MixedBatch, 'epoch' | 'step'> | null {
  const { size, pair, lambda } = batch;
  const all = Array.from({ length: size }, (_, row) => row);
  const pairs = all.filter((row) => pair[row] !== row && lambda[row]! < 1);
  if (pairs.length === 0) return null;
  const isRelabelled = (row: number): boolean => targets.labelWeight[row] !== lambda[row];
  const relabelled = pairs.filter(isRelabelled);
  const asMixed = pairs.filter((row) => !isRelabelled(row) && targets.labels[row] !== targets.pairLabels[row]);
  // Half of them relabelled ones, where there are, and pairs of one class last.
  const chosen = new Set([...relabelled.slice(0, ROWS / 2), ...asMixed, ...pairs]);
  const rows = [...chosen].slice(0, ROWS).sort((a, b) => a - b);
  const mix = batch.variants[MIX]!;
  const bytes = shape[0] * shape[1] * shape[2];
  const image = (row: number): Uint8Array => images.slice(row * bytes, (row + 1) * bytes);
  return {
    mix,
    size,
    pairs: pairs.length,
    relabelled: relabelled.length,
    rows: rows.map((row) => {
      const [own, partner] = [image(row), image(pair[row]!)];
      const mixed = mixStage(mix) === 'input' ? mixedPixels(own, partner, batch, { row, shape }) : null;
      const [label, pairLabel] = [targets.labels[row]!, targets.pairLabels[row]!];
      return { own, partner, mixed, label, pairLabel, lambda: lambda[row]!, labelWeight: targets.labelWeight[row]! };
    }),
  };
}

/** Pixels as the step mixes them, to the nearest whole number. */
function mixedPixels(
  own: Uint8Array,
  partner: Uint8Array,
  batch: Batch,
  { row, shape }: { row: number; shape: Shape },
): Uint8Array {
  const mask = isBox(batch.variants[MIX]!) ? boxMask(batch, shape) : null;
  const share = batch.lambda[row]!;
  return own.map((value, at) => {
    const kept = mask ? mask[Math.floor(at / shape[2])]! : share;
    return Math.round(kept * value + (1 - kept) * partner[at]!);
  });
}
