import type { HostArray, Signature } from '../types.ts';
import { badInput } from './errors.ts';
import type { Feed } from './session.ts';

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;

/** Identity of a signature: equal for equal calls, variants and inputs, whatever their order. */
export function signatureKey({ call, variants, inputs }: Signature): string {
  const sorted = (record: Readonly<Record<string, unknown>>): unknown[] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const shapes = Object.entries(inputs).map(([name, { shape, dtype }]) => [name, `${dtype} ${shape}`]);
  return JSON.stringify([call, sorted(variants), sorted(Object.fromEntries(shapes))]);
}

/**
 * Arrays in the order of the signature's inputs.
 *
 * @throws TailmixError `STEP_INPUT` for a name that is missing or unknown, another dtype, or another length.
 */
export function checkInputs(
  { call, inputs }: Signature,
  given: Readonly<Record<string, HostArray>>,
  feeds: readonly string[],
): Feed[] {
  const expected = Object.entries(inputs);
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(inputs, name)) {
      throw badInput(call, name, `inputs ${expected.map(([known]) => known).join(', ') || 'none'}`, 'a value for it');
    }
  }
  return expected.map(([name, { shape, dtype }], index) => {
    const values = given[name];
    const size = shape.reduce((product, length) => product * length, 1);
    const wanted = `${ARRAYS[dtype].name} of ${size} for shape [${shape.join(', ')}]`;
    if (values === undefined) throw badInput(call, name, wanted, 'none');
    if (!(values instanceof ARRAYS[dtype]) || values.length !== size) {
      const kind = (values as object)?.constructor?.name ?? String(values);
      throw badInput(call, name, wanted, `${kind} of ${values.length}`);
    }
    return { name: feeds[index]!, shape, values };
  });
}
