import { expect, test } from 'vitest';
import { TailmixError } from '../../src/errors.ts';
import { checkState, frozen, rateFactor, rollBack, rollbackRule } from '../../src/train/rollback.ts';
import { messageOfError } from '../support/message.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

test('a run stops unless it says that it goes back; three times at half the rate unless it says otherwise', () => {
  expect([rollbackRule({}), rollbackRule({ onNaN: 'stop' })]).toEqual([null, null]);
  expect(rollbackRule({ onNaN: 'rollback' })).toEqual({ factor: 0.5, atMost: 3 });
  expect(rollbackRule({ onNaN: { factor: 0.1, atMost: 1 } })).toEqual({ factor: 0.1, atMost: 1 });
});

test('rates are multiplied by the factor of each time', () => {
  const back = (factor: number) => ({ epoch: 2, to: 1, factor, reason: '' });
  expect(rateFactor({ rollbacks: [] })).toBe(1);
  expect(rateFactor({ rollbacks: [back(0.5), back(0.25)] })).toBe(0.125);
});

test('a state with a value that is not finite is named', async () => {
  const checked = (values: number[]) => () =>
    checkState({ engine: { read: () => ({ a: Float32Array.of(1), b: Float32Array.from(values) }) } as never }, 4);
  expect(await messageOfError(checked([1, Number.NaN, 2]))).toMatch(
    /^epoch 4: expected finite weights and optimizer state, got NaN in b\./,
  );
  expect(await messageOfError(checked([Number.NEGATIVE_INFINITY]))).toMatch(/got -Infinity in b\./);
  expect(checked([1, 2])).not.toThrow();
});

test('state of plugins in a snapshot that is kept does not change any more', () => {
  const live = { seen: [1] };
  const kept = frozen({ ...snapshotAfter(1), plugins: { own: live } });
  live.seen.push(2);
  expect(kept.plugins).toEqual({ own: { seen: [1] } });
  expect(kept.state).toEqual(snapshotAfter(1).state);
});

test('what is no divergence, or comes before there is anything to go back to, ends the run', async () => {
  const diverged = new TailmixError('NaN', { code: 'LOSS_NOT_FINITE' });
  const attempt = (error: unknown, onNaN: 'stop' | 'rollback', begin = snapshotAfter(0) as never) =>
    rollBack(error, {
      parts: { spanning: null, options: {} },
      progress: { fit: { settings: { train: { onNaN } } }, epochs: [], rollbacks: [] },
      begin,
    } as never);
  const other = new TailmixError('full', { code: 'DISK_FULL' });
  const plain = Object.assign(new Error('NaN'), { code: 'LOSS_NOT_FINITE' });
  await expect(attempt(other, 'rollback')).rejects.toBe(other);
  await expect(attempt(plain, 'rollback')).rejects.toBe(plain);
  await expect(attempt(diverged, 'stop')).rejects.toBe(diverged);
  await expect(attempt(diverged, 'rollback', null as never)).rejects.toBe(diverged);
});
