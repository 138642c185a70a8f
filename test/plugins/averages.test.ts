import { beforeAll, expect, test } from 'vitest';
import ema from '../../plugins/ema/index.ts';
import lookahead from '../../plugins/lookahead/index.ts';
import scheduleFree from '../../plugins/schedule-free/index.ts';
import swa from '../../plugins/swa/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { relativeDistance } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { pixels, twoLayerSteps } from '../support/two-layers.ts';
import { runEager, type State } from '../support/update-steps.ts';

beforeAll(async () => void (await loadBackend()));

/** What the network without plugins says with the arrays of `state` that begin with a prefix; without one its own statistics. */
function logitsOf(state: State, prefix: string): number[] {
  const { program, predict } = twoLayerSteps([]);
  const engine = createEagerEngine(program);
  const names = Object.keys(engine.read()).filter((name) => state[prefix + name] ?? state[name]);
  engine.write(
    Object.fromEntries(names.map((name) => [name, Float32Array.from(state[prefix + name] ?? state[name]!)])),
  );
  const { logits } = engine.run(predict, { images: pixels(9) });
  engine.dispose();
  return Array.from(logits!);
}

const averagers = {
  ema: () => ema({ decay: 0.7 }),
  swa: () => swa({ start: 0 }),
  'schedule-free': () => scheduleFree({}),
};
const named = Object.entries(averagers);

test.each(named)('with lookahead, the averages of %s predict, in either order', (name, averager) => {
  for (const plugins of [
    [averager(), lookahead({ steps: 3 })],
    [lookahead({ steps: 3 }), averager()],
  ]) {
    const { state, logits } = runEager(plugins, { steps: 5 });
    expect(relativeDistance({ logits }, { logits: logitsOf(state, `${name}/`) })).toBeLessThan(1e-6);
    expect(relativeDistance({ logits }, { logits: logitsOf(state, 'lookahead/') })).toBeGreaterThan(1e-3);
  }
});

test('two averages are refused, since one of them alone can predict', async () => {
  for (const [first, one] of named)
    for (const [second, other] of named)
      if (first < second)
        expect(await messageOfError(async () => compose([one(), other()], smallInfo()))).toContain('average');
});
