import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../../src/run.ts';
import { restore } from '../../src/train/open-run.ts';
import { messageOfError } from '../support/message.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

describe('what is put back', () => {
  const program = { state: { a: { shape: [2, 3] }, b: { shape: [] } } } as never;
  const snapshotOf = (state: Record<string, number[]>): Snapshot => ({
    ...snapshotAfter(1),
    state: Object.fromEntries(
      Object.entries(state).map(([name, shape]) => [name, { shape, values: Float32Array.of(shape.length) }]),
    ),
    plugins: { one: 'saved', other: 'not there' },
  });

  test('is all state, and that of each plugin', () => {
    const written: unknown[] = [];
    const loaded: unknown[] = [];
    restore(
      snapshotOf({ a: [2, 3], b: [] }),
      {
        states: {
          one: { save: () => 0, load: (saved) => void loaded.push(saved) },
          late: { save: () => 0, load: (saved) => void loaded.push(saved) },
        },
      },
      program,
      { write: (values) => void written.push(values) },
    );
    expect(written).toEqual([{ a: Float32Array.of(2), b: Float32Array.of(0) }]);
    expect(loaded).toEqual(['saved', undefined]);
  });

  test('is refused where it is of another model, and nothing is written', async () => {
    const written: unknown[] = [];
    const refused = (state: Record<string, number[]>) =>
      messageOfError(() =>
        restore(snapshotOf(state), { states: {} }, program, { write: (values) => void written.push(values) }),
      );
    expect(await refused({ a: [2, 3], b: [], c: [4] })).toMatch(/^resume: c: expected no such state, got shape \[4]\./);
    expect(await refused({ a: [2, 3] })).toMatch(/^resume: b: expected shape \[], got nothing\./);
    expect(await refused({ a: [23], b: [] })).toMatch(/^resume: a: expected shape \[2, 3], got shape \[23]\./);
    expect(written).toEqual([]);
  });
});
