import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import balancedMixup from '../../plugins/balanced-mixup/index.ts';
import choose, { drawIndex } from '../../plugins/choose/index.ts';
import cmo from '../../plugins/cmo/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import { registry } from '../../plugins/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { formatPlan } from '../../src/compose/plan.ts';
import { runJsonSchema } from '../../src/config/json-schema.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { Described } from '../../src/config/shape.ts';
import { definePlugin, Order, type Plugin, type PluginDefinition } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { checkInputs } from '../../src/step/decided.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

const info = smallInfo({ epochs: 20 });
const labels = (pool: number) => Int32Array.from({ length: 16 * pool }, (_, i) => i % 4);
const mixer = (name: string, definition: Partial<Parameters<typeof definePlugin>[0]> = {}): Plugin =>
  definePlugin({
    name,
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply({ hooks }) {
      hooks.onBatch.tap({ name, stage: Order.Mix }, (batch) => batch);
    },
    ...definition,
  })();

test('drawIndex keeps the odds', () => {
  const random = randomStream('odds');
  const drawn = [0, 0, 0];
  for (let i = 0; i < 10_000; i++) drawn[drawIndex([1, 5, 4], random)]!++;
  [0.1, 0.5, 0.4].forEach((share, i) => {
    expect(Math.abs(drawn[i]! / 10_000 - share)).toBeLessThan(0.02);
  });
});

test('drawIndex draws from weight up to weight: the first number of a mixer is its own', () => {
  const drawn = (uniform: number, weights: number[]) =>
    drawIndex(weights, { ...randomStream('any'), uniform: () => uniform });
  expect([0, 0.49, 0.5, 0.99].map((uniform) => drawn(uniform, [1, 1]))).toEqual([0, 0, 1, 1]);
  // The weights leave exactly 0 of the largest draw.
  expect(drawn(1 - 2 ** -53, [0.2, 0.2, 0.7])).toBe(2);
});

describe('the draw', () => {
  test('a batch is as the drawn mixer alone would have left it, label rules included', () => {
    const [one, other] = [mixup(), manifoldMixup({ lambda: 'sample' })];
    const both = compose([choose({ of: [{ plugin: one }, { plugin: other, weight: 3 }] }), remix()], info);
    const alone = [compose([one, remix()], info), compose([other, remix()], info)];
    let first = 0;
    for (let step = 1; step <= 200; step++) {
      const drawn = mixBatch(both, labels(1), at(1, step));
      const candidates = alone.map((composition) => mixBatch(composition, labels(1), at(1, step)));
      const which = candidates.findIndex(({ batch }) => JSON.stringify(batch) === JSON.stringify(drawn.batch));
      expect(which).toBeGreaterThanOrEqual(0);
      expect(drawn.targets).toEqual(candidates[which]!.targets);
      if (which === 0) first++;
    }
    // A quarter of 200, within four standard errors.
    expect(Math.abs(first - 50)).toBeLessThan(25);
  });

  test('mixers with and without a box, and with extra draws of their own, share a pool', () => {
    const composition = compose(
      [
        choose({
          of: [
            { plugin: cutmix() },
            { plugin: mixup() },
            { plugin: cmo({ skipFirst: 0, skipLast: 0, probability: 1 }) },
            { plugin: balancedMixup() },
          ],
        }),
      ],
      info,
    );
    expect(composition.variants).toEqual({ mix: ['input:box', 'input'] });
    expect(Object.keys(composition.groups)).toEqual(['cmo/rare', 'balanced-mixup/balanced']);
    const ways = new Set<string>();
    for (let step = 1; step <= 60; step++) {
      const { batch } = mixBatch(composition, labels(3), at(1, step));
      checkInputs(batch, composition.inputs);
      const boxed = batch.variants.mix === 'input:box';
      expect(batch.box !== null).toBe(boxed);
      const from = Math.floor(batch.pair[0]! / 16);
      ways.add(`${boxed ? 'box' : 'blend'} from ${['the batch', 'cmo', 'balanced-mixup'][from]}`);
    }
    expect([...ways].sort()).toEqual([
      'blend from balanced-mixup',
      'blend from the batch',
      'box from cmo',
      'box from the batch',
    ]);
  });

  test('hooks of a mixer run in the steps in which it is drawn, and its inputs are there in all', () => {
    const called: Record<string, number[]> = { a: [], b: [] };
    const counting = (name: 'a' | 'b') =>
      mixer(name, {
        inputs: () => ({ noise: { shape: ['batch', 2], dtype: 'float32' } }),
        apply({ hooks }) {
          hooks.onBatch.tap(name, (batch, { step }) => {
            called[name]!.push(step);
            const noise = new Float32Array(2 * batch.size).fill(step);
            return { ...batch, inputs: { ...batch.inputs, [`${name}/noise`]: noise } };
          });
          hooks.computeTargets.tap(name, (targets, { step }) => {
            expect(called[name]!.at(-1)).toBe(step);
            return targets;
          });
        },
      });
    const composition = compose([choose({ of: [{ plugin: counting('a') }, { plugin: counting('b') }] })], info);
    for (let step = 1; step <= 40; step++) {
      const { batch } = mixBatch(composition, labels(1), at(1, step));
      checkInputs(batch, composition.inputs);
      const drawn = called.a!.at(-1) === step ? 'a' : 'b';
      expect(batch.inputs[`${drawn}/noise`]![0]).toBe(step);
      expect(batch.inputs[`${drawn === 'a' ? 'b' : 'a'}/noise`]![0]).toBe(0);
    }
    expect([...called.a!, ...called.b!].sort((x, y) => x - y)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(Math.min(called.a!.length, called.b!.length)).toBeGreaterThan(5);
  });

  test('an error says whose it is', () => {
    const failing = mixer('failing', {
      apply({ hooks }) {
        hooks.onBatch.tap('failing', () => {
          throw new Error('no luck');
        });
      },
    });
    const composition = compose([choose({ of: [{ plugin: failing }] })], info);
    expect(() => mixBatch(composition, labels(1), at(1))).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: [failing] onBatch: no luck]`,
    );
  });

  test('state of a mixer is kept under its own name', () => {
    const stateful = mixer('stateful', { apply: () => ({ save: () => 1, load() {} }) });
    expect(Object.keys(compose([choose({ of: [{ plugin: stateful }] })], info).states)).toEqual(['stateful']);
  });
});

describe('what is refused', () => {
  const composed =
    (...plugins: Plugin[]) =>
    () =>
      compose(plugins, info);
  const of = (...plugins: Plugin[]) => choose({ of: plugins.map((plugin) => ({ plugin })) });

  test('a plugin that mixes nothing', () => {
    expect(composed(of(mixup(), remix()))).toThrowErrorMatchingInlineSnapshot(`
      [TailmixError: [choose] holds remix: expected a plugin that provides "mix" and requires nothing; remix provides "relabel" and requires "mix".
        Make it an entry of the run.]
    `);
  });

  test('a mixer twice', () => {
    expect(composed(of(mixup(), mixup({ alpha: 0.2 })))).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: [choose] holds mixup, and a run has one of each. Remove one.]`,
    );
  });

  test('another mixer beside it', () => {
    expect(composed(of(mixup()), cutmix())).toThrow(/both provide "mix"/);
  });

  test('a mixer that reaches into the step', () => {
    const deep = mixer('deep', {
      apply({ hooks }) {
        hooks.buildLoss.tap('deep', (loss) => loss);
      },
    });
    expect(composed(of(deep))).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: [choose] of: expected mixers that tap onBatch or computeTargets alone; deep taps buildLoss too, which cannot be drawn per batch. Make it an entry of the run, without choose.]`,
    );
  });

  test('odds that are none', () => {
    expect(() => choose({ of: [{ plugin: mixup(), weight: 0 }] })).toThrow(z.ZodError);
  });

  test('no mixer is a warning', () => {
    expect(warningsOf([choose()], info)).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [choose] \`of\` lists no mixer: nothing is mixed.",
      ]
    `);
  });
});

test('the plan names variants and draws of all', () => {
  const info = infoWithCounts([20, 9, 4, 2], { epochs: 20 });
  const composition = compose([choose({ of: [{ plugin: mixup() }, { plugin: cmo(), weight: 2 }] })], info);
  expect(formatPlan(composition, info).split('\n').slice(6)).toMatchInlineSnapshot(`
    [
      "onBatch                 choose(-100)",
      "computeTargets          choose(-100)",
      "",
      "provides                mix: choose",
      "holds                   choose: mixup | cmo",
      "variants                mix: input | input:box",
      "rows                    cmo/rare: drawn from train",
      "",
    ]
  `);
});

describe('in a config', () => {
  const resolve = (entry: unknown) =>
    resolveConfig({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [entry] }, { registry, defaults: [] });

  test('items are plugin entries with a weight, and are logged as such', async () => {
    const { plugins, resolved } = await resolve({
      use: 'choose',
      of: [{ use: 'mixup', weight: 2, alpha: 0.4 }, { use: 'cutmix' }],
    });
    expect(plugins).toEqual([choose({ of: [{ plugin: mixup({ alpha: 0.4 }), weight: 2 }, { plugin: cutmix() }] })]);
    expect(resolved.plugins).toEqual([
      {
        use: 'choose',
        of: [
          { use: 'mixup', weight: 2, alpha: 0.4, lambda: 'batch' },
          { use: 'cutmix', weight: 1, alpha: 1, probability: 1 },
        ],
      },
    ]);
  });

  test('what is logged resolves to the same run, made by a call or not', async () => {
    const called = await resolve(choose({ of: [{ plugin: mixup(), weight: 2 }, { plugin: cutmix() }] }));
    const again = await resolveConfig(called.resolved, { registry, defaults: [] });
    expect(again.plugins).toEqual(called.plugins);
    expect(again.hash).toBe(called.hash);
    const other = await resolve(choose({ of: [{ plugin: mixup(), weight: 3 }, { plugin: cutmix() }] }));
    expect(other.hash).not.toBe(called.hash);
  });

  test('editors are offered the mixers, each with its options and a weight', async () => {
    const definitions = [choose, mixup, cutmix, remix].map(
      ({ definition }) => definition as unknown as PluginDefinition,
    );
    const { properties } = runJsonSchema(definitions.map((definition) => ({ definition, description: '' })));
    const { items } = properties!.plugins as { items: { anyOf: Described[] } };
    const { of } = items.anyOf.find(({ title }) => title === 'choose')!.properties as Record<string, Described>;
    const offered = (of!.items as { anyOf: Described[] }).anyOf;
    expect(offered.map(({ title, properties }) => [title, Object.keys(properties!)])).toEqual([
      ['mixup', ['use', 'alpha', 'lambda', 'weight']],
      ['cutmix', ['use', 'alpha', 'probability', 'weight']],
      ['plugin of your own', expect.arrayContaining(['use', 'weight'])],
    ]);
  });

  test('a mistake is told at its place', async () => {
    const message = await messageOfError(() =>
      resolve({
        use: 'choose',
        of: [{ use: 'mixup', alfa: 1 }, { use: 'cutmyx' }, 'cutmix', { use: 'cutmix', enabled: false }],
      }),
    );
    expect(message.replaceAll(/ Built in: .*\./g, '')).toMatchInlineSnapshot(`
      "plugins[0].of[0].alfa
        mixup has no option "alfa". Did you mean "alpha"? Options: alpha, lambda.

      plugins[0].of[1].use
        there is no plugin "cutmyx". Did you mean "cutmix"?
        A path starts with ./; a package must be installed.

      plugins[0].of[2]
        expected a map with \`use\`, got "cutmix". Write \`- use: cutmix\`.

      plugins[0].of[3].enabled
        only an entry of the run can be switched off. Remove it."
    `);
    expect(
      await messageOfError(() => resolve({ use: 'choose', of: [{ use: 'mixup', weight: 'twice' }] })),
    ).toMatchInlineSnapshot(`
      "plugins[0].of[0].weight
        expected a number above 0, got "twice"."
    `);
    expect(await messageOfError(() => resolve({ use: 'choose', of: 'mixup' }))).toMatchInlineSnapshot(`
      "plugins[0].of
        expected a list, got "mixup"."
    `);
  });
});
