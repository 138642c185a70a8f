import process from 'node:process';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { checkSpanning } from '../../src/compose/span.ts';
import { definePlugin, type Plugin, type PluginDefinition, pluginOption } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import type { PhaseInfo } from '../../src/run.ts';
import { originOf } from '../../src/step/owner.ts';
import { tf } from '../../src/tf.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';

const options = z.strictObject({});
const plugin = (name: string, parts: Partial<PluginDefinition<typeof options>> = {}): Plugin =>
  definePlugin({ name, options, apply() {}, ...parts })();

const phase = (number: number): PhaseInfo => ({
  name: `phase ${number}`,
  number,
  epochs: 2,
  batchSize: 16,
  stepsPerEpoch: 3,
});

test('a plugin draws from its own stream, in a later phase from another one', () => {
  const drawn = (info = smallInfo()) => {
    const values: number[] = [];
    compose([plugin('mine', { apply: ({ random }) => void values.push(random('a', 1).uniform()) })], info);
    return values[0];
  };
  expect(drawn()).toBe(randomStream(0, 'mine', 'a', 1).uniform());
  expect(drawn(smallInfo({ seed: 4 }))).toBe(randomStream(4, 'mine', 'a', 1).uniform());
  expect(drawn(smallInfo({ phase: phase(1) }))).toBe(drawn());
  expect(drawn(smallInfo({ phase: phase(2) }))).toBe(randomStream(0, 'mine', 'stage', 2, 'a', 1).uniform());
  expect(drawn(smallInfo({ phase: phase(3) }))).toBe(randomStream(0, 'mine', 'stage', 3, 'a', 1).uniform());
});

test('what is missing: providers of it alone are named', async () => {
  const known = [
    plugin('plain'),
    plugin('resample', { provides: ['sampler'] }),
    plugin('mixup', { provides: ['mix'] }),
  ];
  const missing = messageOfError(() =>
    compose(
      [plugin('remix', { requires: ['mix'] })],
      smallInfo(),
      known.map(({ definition }) => definition),
    ),
  );
  expect(await missing).toMatch(/\n {2}Add mixup\.$/);
});

describe('advice', () => {
  const codes = (...plugins: Plugin[]) => compose(plugins, smallInfo()).warnings.map(({ message }) => message);

  test('a plugin is in no conflict with itself', () => {
    const conflicts = () => ({ relabel: 'both do.' });
    expect(codes(plugin('one', { provides: ['relabel'], conflicts }))).toEqual([]);
    expect(codes(plugin('one', { conflicts }), plugin('two', { provides: ['relabel'] }))).toEqual([
      'with two: both do.',
    ]);
  });

  test('of three that are held all have to conflict', () => {
    const holding = z.strictObject({ of: z.array(z.strictObject({ plugin: pluginOption() })) });
    const holder = definePlugin({ name: 'holder', options: holding, provides: ['mix'], holds: 'of', apply() {} });
    const mixer = (name: string, conflicts?: PluginDefinition['conflicts']) => ({
      plugin: plugin(name, { provides: ['mix'], ...(conflicts && { conflicts }) }),
    });
    const nothing = () => ({ relabel: 'nothing mixes.' });
    const relabel = plugin('relabel', { provides: ['relabel'] });
    expect(codes(holder({ of: [mixer('a', nothing), mixer('b', nothing), mixer('c')] }), relabel)).toEqual([]);
    expect(codes(holder({ of: [mixer('a', nothing), mixer('b', nothing), mixer('c', nothing)] }), relabel)).toEqual([
      'with relabel: nothing mixes.',
    ]);
  });

  test('bare cosines are scaled by whoever provides the head', () => {
    const info = smallInfo({ head: { kind: 'cosine', scale: 1 } });
    expect(compose([plugin('head', { provides: ['head'] })], info).warnings).toEqual([]);
    expect(compose([], info).warnings).toHaveLength(1);
  });
});

describe('guarded taps', () => {
  beforeAll(async () => void (await loadBackend()));

  test('what a build… tap returns is the plugin’s, and checked by the sizes of the run', async () => {
    const { hooks } = compose(
      [
        plugin('mine', {
          apply: (context) =>
            context.hooks.buildModel.tap(
              'mine',
              (before) =>
                (...given) =>
                  before(...given),
            ) as never,
        }),
      ],
      smallInfo(),
    );
    const forward = hooks.buildModel.call((() => ({
      logits: tf.zeros([2, 4]),
      features: tf.zeros([2, 8]),
      statistics: {},
    })) as never);
    expect(originOf(forward)).toEqual({ plugin: 'mine', hook: 'buildModel' });
    const wrong = hooks.buildModel.call((() => ({
      logits: tf.zeros([2, 3]),
      features: tf.zeros([2, 8]),
      statistics: {},
    })) as never);
    expect(await messageOfError(() => wrong({}, tf.zeros([2]) as never, {} as never))).toMatch(
      /^\[mine] buildModel: logits: expected float32 \[batch, C], C = 4; got float32 \[2, 3]\.$/,
    );
    const three = plugin('three', { apply: (context) => context.hooks.buildModel.tap('three', () => 3 as never) });
    expect(await messageOfError(() => compose([three], smallInfo()).hooks.buildModel.call((() => {}) as never))).toBe(
      '[three] buildModel: expected a function (weights, images, pass) → outputs; got 3.',
    );
  });
});

test('tensors that others keep are no leak of a plugin', async () => {
  await loadBackend();
  const codes: unknown[] = [];
  const hear = ({ code }: Error & { code?: string }): void => void codes.push(code);
  process.on('warning', hear);
  const theirs = tf.scalar(1);
  onTestFinished(() => {
    process.off('warning', hear);
    theirs.dispose();
  });
  const { hooks } = compose(
    [plugin('mine', { apply: (context) => context.hooks.onBatchEnd.tap('mine', () => {}) })],
    smallInfo(),
  );
  for (let i = 0; i < 30; i++) hooks.onBatchEnd.call({} as never);
  await new Promise(setImmediate);
  expect(codes).toEqual([]);
});

test('a plugin that spans the run is told from others that tap', () => {
  const all = plugin('all', { spans: 'run', apply: ({ hooks }) => hooks.onEpochEnd.tap('all', () => {}) });
  const other = plugin('other', { apply: ({ hooks }) => hooks.onBatch.tap('other', (batch) => batch) });
  const composition = compose([all, other], smallInfo());
  expect(() => checkSpanning({ ...composition, plugins: [all] })).not.toThrow();
});
