import { randomStream } from '../random.ts';
import type { Model, WeightSpec } from './types.ts';

/**
 * What each weight of a model begins with, computed anew at each call: nothing keeps the arrays in memory. State may look
 * at all other weights, what another plugin made state of too.
 *
 * @param given - values that are not drawn, by name
 */
export function initialOf(
  weights: Model['weights'],
  given: Readonly<Record<string, Float32Array>> = {},
  seed: number,
): (weight: WeightSpec) => Float32Array {
  const of = ({ kind, name, initial }: WeightSpec): Float32Array =>
    given[name] ?? initial(randomStream(seed, 'init', name), kind === 'state' ? others : undefined);
  const others: Record<string, Float32Array> = Object.defineProperties(
    {},
    Object.fromEntries(
      // A weight may begin as what it is given, changed in its place.
      weights.map((weight) => [weight.name, { enumerable: true, get: () => of(weight).slice() }]),
    ),
  );
  return of;
}
