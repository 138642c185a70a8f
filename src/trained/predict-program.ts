import type { Composition } from '../compose/types.ts';
import type { GraphProgram } from '../graph/index.ts';
import { createOptimizer } from '../step/optimizers.ts';
import { createStepProgram } from '../step/program.ts';
import type { Preparation } from '../train/prepare.ts';

/** A run's `predict` for batches of a size, and the state that it had in training. */
export function predictProgram(
  {
    model,
    info,
    settings,
    start,
    composition,
  }: Pick<Preparation, 'model' | 'info' | 'settings' | 'start'> & { composition: Composition },
  batchSize: number,
): GraphProgram {
  return createStepProgram(model, composition, {
    seed: info.seed,
    imageShape: info.imageShape,
    mean: info.mean,
    std: info.std,
    batchSizes: [],
    evaluateBatchSize: batchSize,
    optimizer: createOptimizer(settings.train.optimizer),
    ...start,
  });
}
