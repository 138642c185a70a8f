import type { Signature } from './types.ts';

/** Identity of a signature: equal for equal calls, variants and inputs, whatever their order. */
export function signatureKey({ call, variants, inputs }: Signature): string {
  const sorted = (record: Readonly<Record<string, unknown>>): unknown[] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const shapes = Object.entries(inputs).map(([name, { shape, dtype }]) => [name, `${dtype} ${shape}`]);
  return JSON.stringify([call, sorted(variants), sorted(Object.fromEntries(shapes))]);
}
