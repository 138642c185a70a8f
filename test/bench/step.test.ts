import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { whyNotNative } from '../../src/backend/native.ts';
import { shortcomings } from '../../src/bench/step.ts';

const peer = new URL('../../bench/support/peer.mjs', import.meta.url).href;
const step = fileURLToPath(new URL('../../bench/tailmix-step.mjs', import.meta.url));

test('what a step is measured without is told, one line each', () => {
  expect(shortcomings({ precisionReason: null, stepModeReason: null, customOpsReason: null })).toEqual([]);
  expect(shortcomings({ precisionReason: 'a', stepModeReason: 'b', customOpsReason: 'c' })).toEqual([
    'in float32: a',
    'eagerly: b',
    'without custom ops: c',
  ]);
});

test.skipIf(whyNotNative('native'))(
  'a bench that lacks the custom ops says so, before it measures',
  { timeout: 120_000 },
  async () => {
    const { openPeer } = await import(peer);
    const told = vi.spyOn(console, 'error').mockReturnValue();
    const args = [step, '--model', 'small-cnn', '--batch', '8', '--size', '16'];
    const { said, close } = await openPeer('tailmix', process.execPath, args, { TAILMIX_OPS: '0' });
    close();
    expect(said.without).toEqual(['without custom ops: TAILMIX_OPS=0 leaves them out.']);
    expect(told.mock.calls.flat()).toContain(
      'CAUTION: tailmix is measured without custom ops: TAILMIX_OPS=0 leaves them out.',
    );
  },
);
