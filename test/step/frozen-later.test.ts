import { expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { describeNative } from './captured-support.ts';
import {
  epochSeen,
  failure,
  NAME,
  type Source,
  scaleLogits,
  scaleMixedInFeatures,
  scalePrediction,
  train,
  varies,
} from './frozen-support.ts';

describeNative('a value from a hook that no rehearsal calls', () => {
  /** After how many steps it is found; an epoch has five. */
  const later: [name: string, steps: number, Source][] = [
    [
      'onTrainBegin',
      0,
      ({ hooks }, value) =>
        hooks.onTrainBegin.tap(NAME, () => {
          value.now = 2;
        }),
    ],
    [
      'onEpochBegin, in the second epoch',
      10,
      ({ hooks }, value) =>
        hooks.onEpochBegin.tap(NAME, (epoch) => {
          value.now = epoch;
        }),
    ],
    [
      'onEpochEnd',
      10,
      ({ hooks }, value) =>
        hooks.onEpochEnd.tap(NAME, ({ epoch }) => {
          value.now = epoch + 1;
        }),
    ],
    [
      'onBatchEnd',
      5,
      ({ hooks }, value) =>
        hooks.onBatchEnd.tap(NAME, ({ step }) => {
          value.now = step;
        }),
    ],
    [
      'onBatch, after more calls than are rehearsed',
      10,
      ({ hooks }, value) => {
        let own = 0;
        hooks.onBatch.tap(NAME, (batch, { rehearsal }) => {
          if (!rehearsal && ++own === 9) value.now = 2;
          return batch;
        });
      },
    ],
  ];

  test.each(later)('%s', async (_, after, from) => {
    expect(await failure(from, scaleLogits)).toMatchObject(varies(after));
    expect(await failure(from, scalePrediction)).toMatchObject(varies(after));
  });

  test('in the only epoch of a run', async () => {
    const [, after, from] = later.find(([name]) => name === 'onBatchEnd')!;
    expect(await failure(from, scalePrediction, 1)).toMatchObject(varies(after));
  });
});

describeNative('a host value and `train.step`', () => {
  test('auto goes on eagerly, with the same numbers as an eager run', async () => {
    for (const use of [scalePrediction, scaleMixedInFeatures]) {
      const eager = await train('eager', epochSeen, use);
      expect(await train('auto', epochSeen, use)).toEqual({
        ...eager,
        reason: expect.stringMatching(
          /^\[my-plugin] captured "(train|predict)": expected host values that never change/,
        ),
      });
      expect(eager.mode).toBe('eager');
    }
  });

  test('auto goes on eagerly where onTrainBegin has changed a value', async () => {
    const read: Source = ({ hooks }, value) =>
      hooks.onTrainBegin.tapPromise(NAME, async () => {
        value.now = await Promise.resolve(2);
      });
    const eager = await train('eager', read, scaleLogits);
    expect(await train('auto', read, scaleLogits)).toEqual({
      ...eager,
      reason: expect.stringContaining('[my-plugin]'),
    });
  });

  test('what never changes is captured', async () => {
    const read: Source = (context, value) => {
      value.now = 3;
      context.hooks.onBatchEnd.tap(NAME, () => undefined);
      context.hooks.onEpochBegin.tap(NAME, () => undefined);
    };
    const both = (step: 'eager' | 'captured') => train(step, read, scaleLogits);
    const { losses } = await both('captured');
    const eager = await both('eager');
    expect(losses.flat()).toEqual(eager.losses.flat().map((loss) => expect.closeTo(loss!, 5)));
  });
});

describeNative('what docs/step.md says is frozen silently', () => {
  const expectFrozen = async (from: Source, others?: readonly Plugin[]) => {
    const captured = await train('captured', from, scaleLogits, 2, others);
    const eager = await train('eager', from, scaleLogits, 2, others);
    expect(captured.mode).toBe('captured');
    expect(captured.losses).not.toEqual(eager.losses.map((losses) => losses.map((loss) => expect.closeTo(loss!, 2))));
  };

  test('a value that is back at the end of every epoch', async () => {
    await expectFrozen(({ hooks }, value) => {
      hooks.onBatchEnd.tap(NAME, ({ stepInEpoch }) => {
        value.now = stepInEpoch === 5 ? 1 : 2;
      });
    });
  });

  test('a value that another plugin changes, in a hook that is not rehearsed', async () => {
    let ours = { now: 1 };
    const other = definePlugin({
      name: 'other',
      options: z.strictObject({}),
      apply({ hooks }) {
        hooks.onEpochBegin.tap('other', () => {
          ours.now = 2;
        });
      },
    });
    const share: Source = (_, value) => {
      ours = value;
    };
    await expectFrozen(share, [other()]);
  });
});
