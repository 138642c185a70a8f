import type { Model } from '../models/types.ts';
import { randomStream } from '../random.ts';
import type { TrainerOptions } from './prepare.ts';
import { describeStart, initialValues } from './start.ts';

/** Values of weights, by name. */
export type Values = Record<string, Float32Array>;

/** All weights before the classifier, by name, as the run begins with them. */
export async function backboneValues(
  options: TrainerOptions,
  base: Model,
  { seed, classes }: { seed: number; classes: readonly string[] },
): Promise<Values> {
  const start = await describeStart(options, base);
  const { initial } = await initialValues(options, { base, model: base }, { seed, classes, start });
  return Object.fromEntries(
    base.weights.map((weight) => [
      weight.name,
      initial[weight.name] ?? weight.initial(randomStream(seed, 'init', weight.name)),
    ]),
  );
}
