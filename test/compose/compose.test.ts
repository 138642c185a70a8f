import process from 'node:process';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { loadBackend } from '../../src/backend/load.ts';
import { compose, tapsOf } from '../../src/compose/compose.ts';
import { formatPlan } from '../../src/compose/plan.ts';
import { TailmixError } from '../../src/errors.ts';
import { definePlugin, Order, type PluginDefinition, pluginOption, resolveEpoch } from '../../src/plugin.ts';
import { createBatch } from '../../src/step/batch.ts';
import { tf } from '../../src/tf.ts';
import { smallInfo } from '../support/info.ts';

const options = z.strictObject({});
type Definition = Partial<PluginDefinition<typeof options>>;
const plugin = (name: string, definition: Definition = {}) =>
  definePlugin({ name, options, apply() {}, ...definition })();
const tapping = (name: string, tap: NonNullable<Definition['apply']>) => plugin(name, { apply: tap });

const ctx = { epoch: 1, step: 1, stepInEpoch: 1, rehearsal: false };
const batch = () => createBatch({ size: 2, indices: Int32Array.of(0, 1), labels: Int32Array.of(0, 1), groups: {} }, {});

const messageFrom = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(TailmixError);
    return (error as TailmixError).message;
  }
  throw new Error('expected an error');
};

describe('order', () => {
  test('taps run by stage, then by position in the config', () => {
    const at = (name: string, stage: number) =>
      tapping(name, ({ hooks }) => hooks.onBatch.tap({ name, stage }, (value) => value));
    const { hooks } = compose([at('late', Order.Smooth), at('a', Order.Mix), at('b', Order.Mix)], smallInfo());
    expect(tapsOf(hooks)).toEqual([
      [
        'onBatch',
        [
          { name: 'a', stage: -100 },
          { name: 'b', stage: -100 },
          { name: 'late', stage: 100 },
        ],
      ],
    ]);
  });

  test('the plan shows taps, capabilities, declarations and warnings', () => {
    const mixer = plugin('mixer', {
      provides: ['mix'],
      variants: () => ({ mix: ['input', 'stage1'] }),
      inputs: () => ({ noise: { shape: ['batch', 4], dtype: 'float32' } }),
      apply({ hooks, warn }) {
        hooks.onBatch.tap({ name: 'mixer', stage: Order.Mix }, (value) => value);
        warn('NO_EFFECT', 'alpha is 0, so nothing mixes.');
      },
    });
    const info = smallInfo();
    expect(formatPlan(compose([mixer], info), info)).toMatchInlineSnapshot(`
      "run                     small, seed 0
      data                    squares: 35 images, 4 classes, ratio 10
      class counts            20 9 4 2
      augment                 none
      steps                   2 epochs × 3 steps of 16

      onBatch                 mixer(-100)

      provides                mix: mixer
      inputs                  mixer/noise: float32[batch, 4]
      variants                mix: input | stage1
      warning                 NO_EFFECT [mixer] alpha is 0, so nothing mixes.
      "
    `);
  });
});

describe('capabilities', () => {
  test('one provider a run', () => {
    const mixers = [plugin('mixup', { provides: ['mix'] }), plugin('cutmix', { provides: ['mix'] })];
    expect(messageFrom(() => compose(mixers, smallInfo()))).toMatchInlineSnapshot(`
      "plugins[0] (mixup) and plugins[1] (cutmix) both provide "mix", and a run has one.
        Remove one of them."
    `);
  });

  test('a requirement that nothing provides names who would', () => {
    const remix = plugin('remix', { requires: ['mix'] });
    const known = [
      plugin('mixup', { provides: ['mix'] }).definition,
      plugin('cutmix', { provides: ['mix'] }).definition,
    ];
    expect(messageFrom(() => compose([remix], smallInfo(), known))).toMatchInlineSnapshot(`
      "plugins[0] (remix) requires "mix", which no plugin provides.
        Add mixup or cutmix."
    `);
    expect(messageFrom(() => compose([remix], smallInfo()))).toMatchInlineSnapshot(`
      "plugins[0] (remix) requires "mix", which no plugin provides.
        Add one that does: \`tailmix plugins\` lists them."
    `);
  });

  test('no plugin twice, no variant twice', () => {
    expect(messageFrom(() => compose([plugin('a'), plugin('b'), plugin('a')], smallInfo()))).toMatchInlineSnapshot(
      `"plugins[0] and plugins[2] are both "a", and a run has one of each. Remove one."`,
    );
    const variants = () => ({ mix: ['input'] });
    expect(
      messageFrom(() => compose([plugin('a', { variants }), plugin('b', { variants })], smallInfo())),
    ).toMatchInlineSnapshot(
      `"[b] declares the variant "mix", which another plugin declared before. Name it otherwise."`,
    );
  });
});

describe('guard', () => {
  beforeAll(async () => void (await loadBackend()));

  const call = (apply: NonNullable<Definition['apply']>) => () =>
    compose([tapping('mine', apply)], smallInfo()).hooks.onBatch.call(batch(), ctx);

  test('an error says plugin and hook, and keeps its cause', () => {
    const cause = new RangeError('out of range');
    const run = call(({ hooks }) =>
      hooks.onBatch.tap('mine', () => {
        throw cause;
      }),
    );
    expect(messageFrom(run)).toMatchInlineSnapshot(`"[mine] onBatch: out of range"`);
    expect(run).toThrow(expect.objectContaining({ plugin: 'mine', hook: 'onBatch', cause }));
  });

  test('a Promise, nothing, and a foreign name are refused', () => {
    expect(
      messageFrom(call(({ hooks }) => hooks.onBatch.tap('mine', (async (b: unknown) => b) as never))),
    ).toMatchInlineSnapshot(
      `"[mine] onBatch returned a Promise. This hook runs inside the step and must be synchronous: do the waiting in an on…Begin or on…End hook."`,
    );
    expect(messageFrom(call(({ hooks }) => hooks.onBatch.tap('mine', (() => {}) as never)))).toMatchInlineSnapshot(
      `"[mine] onBatch returned undefined. Return the value that was handed in, changed or not."`,
    );
    expect(messageFrom(call(({ hooks }) => hooks.onBatch.tap('other', (b) => b)))).toMatchInlineSnapshot(
      `"[mine] onBatch: a tap is named after its plugin, but this one is named "other". Tap with the name "mine"."`,
    );
  });

  test('an observer that fails while waiting is named, and one that forgets to be waited for is refused', async () => {
    const late = tapping('late', ({ hooks }) =>
      hooks.onEpochBegin.tapPromise('late', async () => {
        throw new Error('disk full');
      }),
    );
    const hooks = compose([late], smallInfo()).hooks;
    await expect(hooks.onEpochBegin.promise(1, {} as never)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: [late] onEpochBegin: disk full]`,
    );
    const forgot = tapping('forgot', ({ hooks }) => hooks.onEpochBegin.tap('forgot', async () => {}));
    await expect(
      compose([forgot], smallInfo()).hooks.onEpochBegin.promise(1, {} as never),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: [forgot] onEpochBegin returned a Promise. Tap it with tapPromise, so that the run waits for it.]`,
    );
  });

  test('the time of a hook that waits is that until it is done', async () => {
    const waiting = tapping('waiting', ({ hooks }) =>
      hooks.onEpochBegin.tapPromise('waiting', () => new Promise((done) => void setTimeout(done, 30))),
    );
    const { hooks, timings } = compose([waiting], smallInfo());
    await hooks.onEpochBegin.promise(1, {} as never);
    await hooks.onEpochBegin.promise(2, {} as never);
    expect(timings).toMatchObject([{ plugin: 'waiting', hook: 'onEpochBegin', calls: 2 }]);
    expect(timings[0]!.milliseconds).toBeGreaterThan(50);
    expect(timings[0]!.milliseconds).toBeLessThan(20_000);
  });

  test('a plugin that leaves a tensor at each of ten calls is warned of once, and not the one that calls it', async () => {
    const kept: tf.Tensor[] = [];
    const leaky = tapping('leaky', ({ hooks }) => {
      hooks.onBatch.tap('leaky', (value) => {
        kept.push(tf.scalar(1));
        return value;
      });
    });
    const around = definePlugin({
      name: 'around',
      options: z.strictObject({ of: z.array(z.strictObject({ plugin: pluginOption() })) }),
      provides: ['mix'],
      holds: 'of',
      apply: ({ hooks, held }) =>
        void hooks.onBatch.tap('around', (value, context) => held[0]!.hooks.onBatch.call(value, context)),
    });
    const inside = { ...leaky, definition: { ...leaky.definition, provides: ['mix'] as const } };
    const { hooks } = compose([around({ of: [{ plugin: inside }] })], smallInfo());
    const warned: string[] = [];
    const hear = ({ message, ...warning }: Error & { code?: string }): void => {
      if (warning.code === 'PLUGIN_LEAKS') warned.push(message.split(':')[0]!);
    };
    const warnedAfter = async (count: number) => {
      for (let i = 0; i < count; i++) hooks.onBatch.call(batch(), ctx);
      await new Promise(setImmediate);
      return warned;
    };
    process.on('warning', hear);
    onTestFinished(() => {
      process.off('warning', hear);
      tf.dispose(kept);
    });
    expect(await warnedAfter(9)).toEqual([]);
    expect(await warnedAfter(1)).toEqual(['[leaky] onBatch']);
    expect(await warnedAfter(30)).toEqual(['[leaky] onBatch']);
  });

  test('every call is counted under its plugin and hook', () => {
    const composition = compose([tapping('mine', ({ hooks }) => hooks.onBatch.tap('mine', (b) => b))], smallInfo());
    composition.hooks.onBatch.call(batch(), ctx);
    composition.hooks.onBatch.call(batch(), ctx);
    expect(composition.timings).toMatchObject([{ plugin: 'mine', hook: 'onBatch', calls: 2 }]);
  });
});

test('moments of a run are epochs or fractions of it', () => {
  expect([
    resolveEpoch(160, 200),
    resolveEpoch(0.8, 200),
    resolveEpoch(0.8, 3),
    resolveEpoch(0, 3),
    resolveEpoch(1, 3),
  ]).toEqual([160, 160, 2, 0, 1]);
});

describe('the class prior corrected twice', () => {
  const correcting = (name: string) => plugin(name, { corrects: () => 'class prior' });
  const codes = (...plugins: ReturnType<typeof plugin>[]) =>
    compose(plugins, smallInfo()).warnings.map(({ code, plugin, message }) => `${code} [${plugin}] ${message}`);

  test('is warned of, once for each plugin after the first', () => {
    expect(
      codes(correcting('loss'), plugin('other'), correcting('sampler'), correcting('weights')),
    ).toMatchInlineSnapshot(`
      [
        "NOT_INTENDED [sampler] corrects the class prior, as loss does already: rare classes are favoured twice. Keep one.",
        "NOT_INTENDED [weights] corrects the class prior, as loss does already: rare classes are favoured twice. Keep one.",
      ]
    `);
  });

  test('is not warned of where a plugin corrects nothing under its options', () => {
    expect(codes(correcting('loss'), plugin('idle', { corrects: () => null }))).toEqual([]);
    expect(codes(correcting('loss'))).toEqual([]);
  });
});

describe('head', () => {
  const cosine = plugin('margins', { head: 'cosine' });

  test('another one is refused', () => {
    const info = smallInfo({ head: { kind: 'linear', scale: 1 } });
    expect(messageFrom(() => compose([plugin('other'), cosine], info))).toMatchInlineSnapshot(`
      "plugins[1] (margins) requires a cosine classifier; the model has a linear one.
        Set model.head: cosine."
    `);
    expect(() => compose([plugin('other')], info)).not.toThrow();
    expect(compose([cosine], smallInfo({ head: { kind: 'cosine', scale: 16 } })).warnings).toEqual([]);
  });

  test('an unknown one is warned of', () => {
    expect(compose([cosine], smallInfo({ head: null })).warnings).toMatchInlineSnapshot(`
      [
        {
          "code": "NOT_INTENDED",
          "message": "expects a cosine classifier, and the model does not say what it has (Model.head).",
          "plugin": "margins",
        },
      ]
    `);
  });
});
