import type { Composition } from '../compose/types.ts';
import { deviceSetting } from '../pjrt/errors.ts';
import type { RunInfo } from '../run.ts';
import { createOptimizer } from '../step/optimizers.ts';
import { createStepProgram, type StepProgram } from '../step/program.ts';
import { evaluationBatch } from './evaluate.ts';
import type { Preparation } from './prepare.ts';

/** Sizes of the batches of an epoch, the full one first. */
export function batchSizesOf(
  { trainCount }: Pick<RunInfo, 'trainCount'>,
  { batchSize, dropLast }: { batchSize: number; dropLast: boolean },
): number[] {
  const rest = trainCount % batchSize;
  return [...(trainCount >= batchSize ? [batchSize] : []), ...(rest > 0 && !dropLast ? [rest] : [])];
}

/** What a phase's program has in common with one that computes features of its images. */
export const makingOf = ({ settings, data, info, start }: Preparation) => ({
  seed: info.seed,
  imageShape: info.imageShape,
  isFeatures: info.features !== undefined,
  mean: data.info.mean,
  std: data.info.std,
  evaluateBatchSize: evaluationBatch(settings.evaluate, info, data.test.indices.length),
  ...start,
});

/**
 * The step and the prediction of a phase.
 *
 * @param devices - that share the replicas
 */
export function phaseProgram(
  preparation: Preparation,
  composition: Composition,
  { devices }: { devices: number },
): StepProgram {
  const { settings, model, info, rules, options } = preparation;
  return createStepProgram(model, composition, {
    ...makingOf(preparation),
    batchSizes: batchSizesOf(info, settings.train),
    optimizer: createOptimizer(settings.train.optimizer, rules),
    ...(info.replicas && { replicas: info.replicas }),
    ...(info.batchNorm && { batchNorm: info.batchNorm }),
    ...(info.pairs && { pairs: info.pairs }),
    ...(options.link && { share: options.link }),
    devices,
  });
}

/**
 * Devices that share a run's replicas. A run without replicas is one batch on however many: the compiler shares it out.
 *
 * @throws {TailmixError} DEVICE_SETTING for replicas, or a batch, that the devices do not divide.
 */
export function shareOfDevices(
  count: number,
  { replicas = 1 }: Pick<RunInfo, 'replicas'>,
  [size = 0]: readonly number[],
): number {
  const expect = (path: string, value: number): void => {
    if (value % count !== 0) throw deviceSetting(path, `a multiple of ${count}, the number of devices`, `${value}`);
  };
  if (replicas === 1) expect('train.batchSize', size);
  else expect('train.replicas', replicas);
  return replicas === 1 ? 1 : count;
}
