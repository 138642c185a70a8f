import type { OutputSizes } from '../models/outputs.ts';
import type { Pass } from '../models/types.ts';
import { tf } from '../tf.ts';
import { describeValue, type Fault, fieldsOf, sameShape, tensorFault } from '../util/fault.ts';
import { mapValues } from '../util/map-values.ts';
import { adoptFunction, type FaultOf, fieldsDue } from './adopted.ts';
import { returnedWrong } from './errors.ts';
import type { Origin } from './owner.ts';
import type { Loss, OfOutputs, Scored } from './types.ts';

/** Parts of a loss that are functions by name. */
type Part = 'scored' | 'terms' | 'penalties' | 'figures' | 'perSample';

/**
 * A loss that a tap of `buildLoss` returned, its functions known as the plugin's and checked.
 *
 * @param before - what the tap was given
 * @throws {TailmixError} RETURNED_WRONG where it is not made of the functions that are due.
 */
export function adoptLoss(origin: Origin, value: unknown, before: Loss, { classes }: OutputSizes): Loss {
  const loss = fieldsDue(origin, value, 'a loss { adjustLogits, termLoss, penalties, … }');
  const at = (part: string): Origin => ({ ...origin, part });
  /** Functions by name, those that are new under names of the plugin. */
  const adoptAll = <Fn extends (...args: never[]) => unknown>(
    part: Part,
    kind: string,
    signature: string,
    faultOf: FaultOf<Fn>,
  ): Record<string, Fn> => {
    const functions = fieldsDue(at(part), loss[part], `functions by ${part === 'penalties' ? 'plugin name' : 'name'}`);
    const lost = Object.keys(before[part]).find((name) => !(name in functions));
    if (lost !== undefined && part !== 'scored') {
      const [expected, got] = [`the ${kind} of ${lost} to stay`, `${part} without it`];
      throw returnedWrong(at(part), { expected, got, cure: `Spread those before: { ...loss.${part}, … }.` });
    }
    return mapValues(functions, (fn, name) => {
      if (part !== 'penalties' && !(name in before[part]) && !isNameOf(origin.plugin, name)) {
        const expected = `names of ${origin.plugin}, "${origin.plugin}" or "${origin.plugin}/…"`;
        throw returnedWrong(at(part), { expected, got: JSON.stringify(name) });
      }
      return adoptFunction<Fn>(at(`${part}.${name}`), fn, signature, faultOf, functions);
    });
  };
  const adopted: Loss = {
    penalties: adoptAll<OfOutputs>('penalties', 'penalty', '(outputs, weights, pass) → a scalar', scalarFault),
    adjustLogits: adoptFunction<Loss['adjustLogits']>(
      at('adjustLogits'),
      loss.adjustLogits,
      '(logits, labels, pass) → logits',
      (logits, [given]) => tensorFault(logits, 'batch, C', given.shape),
      loss,
    ),
    termLoss: adoptFunction<Loss['termLoss']>(
      at('termLoss'),
      loss.termLoss,
      '(logits, labels, pass) → a loss for each row',
      (losses, [, labels]) => rowsFault(losses, labels),
      loss,
    ),
    scored: adoptAll<Loss['scored'][string]>('scored', 'logits', '(outputs, pass) → { logits }', (found, [, pass]) =>
      scoredFault(found, pass, classes),
    ),
    terms: adoptAll<Loss['terms'][string]>(
      'terms',
      'term',
      '(outputs, labels, pass) → a loss for each row',
      (losses, [, labels]) => rowsFault(losses, labels),
    ),
    figures: adoptAll<OfOutputs>('figures', 'figure', '(outputs, weights, pass) → a scalar', scalarFault),
    perSample: adoptAll<OfOutputs>('perSample', 'array', '(outputs, weights, pass) → an array', (array, [, , pass]) =>
      rowArrayFault(array, pass),
    ),
  };
  if (Object.keys(adopted.scored).length + Object.keys(adopted.terms).length === 0) {
    throw returnedWrong(at('scored'), { expected: 'logits to score, or terms', got: 'none' });
  }
  return adopted;
}

/** Whether a plugin may give something a name. */
const isNameOf = (plugin: string, name: string): boolean => name === plugin || name.startsWith(`${plugin}/`);

const scalarFault = (scalar: unknown): Fault | null =>
  tensorFault(scalar, '', [], { cure: 'Reduce it, for example with .mean().' });

const rowsFault = (losses: unknown, labels: tf.Tensor): Fault | null =>
  tensorFault(losses, 'batch', labels.shape, { cure: 'It gives a loss for each row; core weights and reduces them.' });

function scoredFault(found: unknown, { inputs }: Pass, classes: number): Fault | null {
  const { logits, factor, weight, pairWeight } = (fieldsOf(found) ?? {}) as Partial<Scored>;
  const rows = inputs.labels!.shape;
  if (factor !== undefined && !Number.isFinite(factor)) {
    return { part: 'factor', expected: 'a finite number', got: describeValue(factor) };
  }
  if (weight === undefined && pairWeight !== undefined) {
    return { part: 'weight', expected: 'what labels weigh, where pairWeight is given', got: 'none' };
  }
  return (
    tensorFault(logits, 'batch, C', [...rows, classes], { part: 'logits' }) ??
    (weight === undefined ? null : tensorFault(weight, 'batch', rows, { part: 'weight' })) ??
    (pairWeight === undefined ? null : tensorFault(pairWeight, 'batch', rows, { part: 'pairWeight' }))
  );
}

/** What is wrong with an array that should have a row for each of the batch. */
export function rowArrayFault(array: unknown, { inputs }: Pass): Fault | null {
  const rows = inputs.labels!.shape;
  if (array instanceof tf.Tensor && array.dtype === 'float32' && sameShape(array.shape.slice(0, 1), rows)) return null;
  return { expected: `float32 [batch, …], batch = ${rows[0]}`, got: describeValue(array) };
}
