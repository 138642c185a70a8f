import type { WeightSpec } from './types.ts';

/** Whether a weight can be trained: a statistic is carried by the forward pass, and state by whoever added it. */
export const isParameter = ({ kind }: Pick<WeightSpec, 'kind'>): boolean => kind !== 'statistic' && kind !== 'state';

/** Whether a run trains a weight. */
export const isTrained = (weight: Pick<WeightSpec, 'kind' | 'name'>, frozen?: ReadonlySet<string>): boolean =>
  isParameter(weight) && !frozen?.has(weight.name);
