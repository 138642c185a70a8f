import { expect, test } from 'vitest';
import { brokenBy } from '../../src/cluster/link.ts';
import { TailmixError } from '../../src/errors.ts';

const said = (message: string, code: string): Error => Object.assign(new Error(message), { code });

test('what TensorFlow says of a lost connection is told from other errors, whatever wraps it', () => {
  const timedOut = said('Operation timed out.', '4');
  // A rank that was stopped: another had given up first, which TensorFlow calls INTERNAL.
  const aborted = said('From /job:worker/replica:0/task:0:\nCollective ops is aborted by: Delete called on …', '13');
  for (const error of [timedOut, aborted]) {
    expect(brokenBy(error)).toBe(error);
    expect(brokenBy(new TailmixError('captured "train": …', { code: 'CAPTURE_RUN', cause: error }))).toBe(error);
  }
  expect(brokenBy(said('indices[0] = 7 is not in [0, 4)', '3'))).toBeNull();
  expect(brokenBy(new TailmixError('a fault', { code: 'FAULT' }))).toBeNull();
  expect(brokenBy('text')).toBeNull();
});
