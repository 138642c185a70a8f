import type { HostArray } from '../graph/index.ts';
import { concatenate } from '../util/concatenate.ts';
import { takeRows } from './all-reduce.ts';
import type { Batch, InputSpec } from './types.ts';

/**
 * A batch whose partners may be anywhere, as replicas take it: behind its pool, row i of a further group is the partner of
 * row i. It is in the replica of row i, whichever that is.
 *
 * @param inputs - declared ones; those with a pool get the partners' rows too
 */
export function withPartners(batch: Batch, inputs: Readonly<Record<string, InputSpec>>): Batch {
  const { size, poolSize, pair, indices, labels } = batch;
  const rows = concatenate(Int32Array, [Int32Array.from({ length: poolSize }, (_, row) => row), pair]);
  const extended = Object.entries(batch.inputs).map(([name, values]): [string, HostArray] => {
    const { shape } = inputs[name]!;
    if (!shape.includes('pool')) return [name, values];
    const axes = shape.map((length) =>
      length === 'pool'
        ? { length: poolSize, taken: rows }
        : { length: length === 'batch' ? size : length, taken: null },
    );
    return [name, takeRows(values, axes)];
  });
  return {
    ...batch,
    poolSize: poolSize + size,
    indices: rows.map((row) => indices[row]!),
    labels: rows.map((row) => labels[row]!),
    pair: Int32Array.from(pair, (_, row) => poolSize + row),
    inputs: Object.fromEntries(extended),
  };
}
