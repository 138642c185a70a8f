import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import mlflow from '../../plugins/mlflow/index.ts';
import tracking from '../../plugins/tracking/index.ts';
import { createHooks, type Hooks } from '../../src/hooks.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { readSummary } from '../../src/tracking/run-directory.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { linesOf } from '../support/mlflow-plugin.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { thrownThings } from '../support/unreadable.ts';

type Way = 'tap' | 'tapAsync' | 'tapPromise';

/** A plugin that throws in one hook, in the run itself and not in its rehearsal. */
const throwing = (hook: keyof Hooks, way: Way, make: () => unknown, name = 'foreign'): Plugin =>
  definePlugin({
    name,
    options: z.strictObject({}),
    apply({ hooks }) {
      const tapped = hooks[hook] as unknown as Record<Way, (name: string, fn: (...args: never[]) => unknown) => void>;
      tapped[way](name, (value: unknown, ...rest: readonly unknown[]) => {
        if ((rest[0] as { rehearsal?: boolean } | undefined)?.rehearsal) return value;
        if (way === 'tapAsync') return (rest.at(-1) as (error: unknown) => void)(make());
        if (way === 'tapPromise') return Promise.reject(make());
        throw make();
      });
    },
  })();

async function train(plugins: Plugin[]) {
  const directory = await temporaryFolder();
  const warned: string[] = [];
  const hear = ({ message }: Error) => void warned.push(message);
  process.on('warning', hear);
  onTestFinished(() => void process.off('warning', hear));
  const error = await createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins: [...plugins, tracking()],
    train: { epochs: 1, batchSize: 16, step: 'eager' },
    directory,
    config: { resolved: {}, hash: 'abc' },
  })
    .run()
    .then(
      () => null,
      ({ message }: Error) => message,
    );
  const summary = await readSummary(directory);
  const statuses = (await linesOf(directory).catch(() => [])).flatMap((line) =>
    line.type === 'status' ? [line.status] : [],
  );
  return { error, summary, statuses, warned };
}

const [, unreadable] = thrownThings[0]!;

describe('an error that cannot be read fails the run with the plugin and the hook named', () => {
  const hooks = (Object.keys(createHooks()) as (keyof Hooks)[]).filter((hook) => hook !== 'onError');
  test.each(hooks)('%s', async (hook) => {
    const { error, summary, statuses } = await train([
      throwing(hook, 'tap', unreadable),
      checkpoint(),
      mlflow({ server: '' }),
    ]);
    expect(error).toBe(`[foreign] ${hook}: an error that cannot be read`);
    // What is rehearsed fails before there is a run.
    if (summary !== null) expect(summary).toMatchObject({ status: 'failed', reason: error });
    expect(statuses).toEqual(summary === null ? [] : ['FAILED']);
  });
});

const WAYS: readonly Way[] = ['tap', 'tapAsync', 'tapPromise'];

test.each(thrownThings.map(([what, make, message], i) => [what, WAYS[i % 3]!, make, message] as const))(
  '%s, by %s',
  async (_, given, make, message) => {
    // A callback without an error says that all went well.
    const way = make() == null ? 'tap' : given;
    const { error, summary } = await train([throwing('onEpochEnd', way, make)]);
    expect(error).toContain(`[foreign] onEpochEnd: ${message}`);
    expect(summary).toMatchObject({ status: 'failed', reason: error });
  },
);

test('in onError it is warned of, and the run ends with the error before', async () => {
  const { error, warned } = await train([
    throwing('onEpochBegin', 'tap', () => new Error('first')),
    throwing('onError', 'tapPromise', unreadable, 'worse'),
  ]);
  expect(error).toBe('[foreign] onEpochBegin: first');
  expect(warned).toEqual([
    '[worse] onError: an error that cannot be read\n  It came after the error that the run ends with, and does not replace it.',
  ]);
});
