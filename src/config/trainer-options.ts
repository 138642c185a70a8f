import type { TrainerOptions } from '../train/prepare.ts';
import type { ResolvedConfig } from './types.ts';

/** A resolved config as `createTrainer` takes it. The backend, the run directory and the like can be put beside it. */
export function trainerOptions({
  options,
  model: own,
  plugins,
  phases,
  resolved,
  hash,
  modules,
}: ResolvedConfig): TrainerOptions {
  const { name, method, seed, data, model, train, evaluate, backend } = options;
  return {
    name,
    ...(method === undefined ? {} : { method }),
    seed,
    data: data as TrainerOptions['data'],
    model: own ?? (model as TrainerOptions['model']),
    train,
    evaluate,
    backend,
    plugins,
    ...(phases && { phases }),
    config: { resolved, hash, modules },
  };
}
