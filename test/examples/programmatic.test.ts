import { expect, test } from 'vitest';
import { remixDrw } from '../../examples/programmatic.ts';

test('the programmatic example trains on the long tail of digits', async () => {
  const last = await remixDrw(3);
  expect(last.count).toBe(1996);
  expect(last.accuracy).toBeGreaterThan(0.15);
});
