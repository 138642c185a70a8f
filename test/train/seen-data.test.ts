import { expect, test } from 'vitest';
import { identityOf } from '../../src/data/identity.ts';
import type { SnapshotData } from '../../src/run.ts';
import type { TrainerOptions } from '../../src/train/prepare.ts';
import { seenData } from '../../src/train/seen-data.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

const data = squares();
const identity = identityOf(data);
const other = { ...identity, test: 'f00' };
const init = { ...identity, train: 'f01' };

const options = (resumed?: SnapshotData, changes: Partial<TrainerOptions> = {}): TrainerOptions => {
  const { data: _, ...snapshot } = snapshotAfter(1);
  return {
    data,
    model: { name: 'mlp' },
    ...(resumed && { resume: { ...snapshot, data: resumed } }),
    ...changes,
  };
};
const allowed = { allowOtherData: true };

test('the data of the run, with nothing else where nothing else was seen', () => {
  expect(seenData(options(), data, undefined)).toEqual(identity);
  expect(seenData(options(identity), data, undefined)).toEqual(identity);
  const { data: _, ...old } = snapshotAfter(1);
  expect(seenData({ ...options(), resume: old }, data, undefined)).toEqual(identity);
});

test('what its first weights were trained on, and what it was resumed from, in the order of time', () => {
  expect(seenData(options(), data, init)).toEqual({ ...identity, otherData: [{ by: 'init', data: init }] });
  expect(seenData(options(other, allowed), data, undefined)).toEqual({
    ...identity,
    otherData: [{ by: 'resume', data: other }],
  });
  const before = [{ by: 'init', data: init } as const];
  expect(seenData(options({ ...other, otherData: before }, allowed), data, init)).toEqual({
    ...identity,
    otherData: [...before, { by: 'init', data: init }, { by: 'resume', data: other }],
  });
  expect(seenData(options({ ...identity, otherData: before }), data, undefined)).toEqual({
    ...identity,
    otherData: before,
  });
});

test('a checkpoint of other data is refused unless it is allowed', async () => {
  const refused = (changes: Partial<TrainerOptions>) =>
    messageOfError(() => seenData(options(other, changes), data, undefined));
  expect(await refused({})).toMatch(/^resume: /);
  expect(await refused({ directory: 'runs/a' })).toMatch(/^runs\/a: /);
  await expect(async () => seenData(options(other), data, undefined)).rejects.toMatchObject({ code: 'OTHER_DATA' });
});
