import { describeValue, type Fault, fieldsOf } from '../util/fault.ts';
import { returnedWrong } from './errors.ts';
import { isOwned, type Origin, ownedBy } from './owner.ts';

/** What is wrong with a result, given what the function was called with. */
export type FaultOf<Fn extends (...args: never[]) => unknown> = (
  result: ReturnType<Fn>,
  args: Parameters<Fn>,
) => Fault | null;

/** @param self - the object that the function is a method of */
export function adoptFunction<Fn extends (...args: never[]) => unknown>(
  origin: Origin,
  value: unknown,
  signature: string,
  faultOf: FaultOf<Fn>,
  self?: object,
): Fn {
  if (typeof value !== 'function') {
    throw returnedWrong(origin, { expected: `a function ${signature}`, got: describeValue(value) });
  }
  const fn = self === undefined || isOwned(value) ? value : value.bind(self);
  return ownedBy(origin, fn as Fn, faultOf);
}

/** The fields of what a tap returned, which should be an object of functions. */
export function fieldsDue(origin: Origin, value: unknown, expected: string): Record<string, unknown> {
  const fields = typeof value === 'object' ? fieldsOf(value) : null;
  if (fields === null) throw returnedWrong(origin, { expected, got: describeValue(value) });
  return fields;
}
