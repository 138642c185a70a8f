import { expect, test } from 'vitest';
import { registry } from '../../plugins/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import { compose, tapsOf } from '../../src/compose/compose.ts';
import { capabilityTaken } from '../../src/compose/errors.ts';
import { formatPlan } from '../../src/compose/plan.ts';
import type { Capability, Plugin } from '../../src/plugin.ts';
import { smallInfo } from '../support/info.ts';
import { recordRun } from '../support/recorded-run.ts';
import { settings } from './settings.ts';

const all: Plugin[] = await Promise.all(
  Object.entries(settings).map(async ([name, { options }]) => (await registry[name]!()).default(options as never)),
);
const nameOf = ({ definition }: Plugin): string => definition.name;
const provided = (plugin: Plugin): readonly Capability[] => plugin.definition.provides ?? [];
const clash = (a: Plugin, b: Plugin): Capability | undefined =>
  provided(b).find((capability) => provided(a).includes(capability));

/** A mixer in front where a plugin needs one and none is there. */
const withMixer = (plugins: readonly Plugin[]): readonly Plugin[] =>
  plugins.some(({ definition }) => definition.requires?.includes('mix')) &&
  !plugins.some((plugin) => provided(plugin).includes('mix'))
    ? [mixup(), ...plugins]
    : plugins;

const pairsOf = (plugins: readonly Plugin[]): [Plugin, Plugin][] =>
  plugins.flatMap((a, i) => plugins.slice(i + 1).map((b): [Plugin, Plugin] => [a, b]));
const keyOf = (pair: readonly Plugin[]): string => pair.map(nameOf).sort().join(' + ');

const info = smallInfo({ epochs: 200 });

/** Hooks that a plugin taps. */
const hooksTapped = (plugin: Plugin): string[] =>
  tapsOf(compose(withMixer([plugin]), info).hooks)
    .filter(([, taps]) => taps.some(({ name }) => name === nameOf(plugin)))
    .map(([hook]) => hook);

test('every pair composes and plans, or is refused for what both provide', () => {
  const hooksOf = new Map(all.map((plugin) => [plugin, hooksTapped(plugin)]));
  for (const pair of pairsOf(all)) {
    for (const [a, b] of [pair, pair.toReversed() as [Plugin, Plugin]]) {
      const plugins = withMixer([a, b]);
      const taken = clash(a, b);
      if (taken === undefined) {
        const composition = compose(plugins, info);
        for (const capability of provided(a)) expect(composition.provides[capability]).toBe(nameOf(a));
        const plan = formatPlan(composition, info).split('\n');
        for (const hook of hooksOf.get(a)!)
          expect(plan.find((line) => line.startsWith(hook))).toContain(`${nameOf(a)}(`);
      } else {
        const { message } = capabilityTaken(taken, nameOf(a), plugins.indexOf(a), nameOf(b), plugins.indexOf(b));
        expect(() => compose(plugins, info)).toThrow(message);
      }
    }
  }
});

/** Runs in which every pair that goes together meets: each takes a pair that is open, and all that adds to it. */
function coveringRuns(plugins: readonly Plugin[]): (readonly Plugin[])[] {
  const open = new Map(
    pairsOf(plugins)
      .filter(([a, b]) => clash(a, b) === undefined)
      .map((pair) => [keyOf(pair), pair]),
  );
  const runs: (readonly Plugin[])[] = [];
  while (open.size > 0) {
    const run: Plugin[] = [...open.values().next().value!];
    for (;;) {
      const gains = plugins
        .filter((plugin) => run.every((other) => other !== plugin && clash(other, plugin) === undefined))
        .map((plugin) => ({ plugin, gain: run.filter((other) => open.has(keyOf([plugin, other]))).length }));
      const best = gains.reduce<(typeof gains)[number] | null>(
        (top, next) => (next.gain > (top?.gain ?? 0) ? next : top),
        null,
      );
      if (best === null) break;
      run.push(best.plugin);
    }
    for (const pair of pairsOf(run)) open.delete(keyOf(pair));
    runs.push(withMixer(run));
  }
  return runs;
}

const runs = coveringRuns(all);

test('the runs below have every pair that goes together', () => {
  const met = new Set(runs.flatMap((run) => pairsOf(run).map(keyOf)));
  for (const pair of pairsOf(all)) expect(met.has(keyOf(pair)), keyOf(pair)).toBe(clash(...pair) === undefined);
});

test.each(runs.map((run) => [run.map(nameOf).join(', '), run] as const))(
  'two steps on 8×8 images: %s',
  async (_, run) => {
    const { steps } = await recordRun(run, { step: 'eager' });
    expect(steps).toHaveLength(2);
    for (const { loss } of steps) expect(Number.isFinite(loss)).toBe(true);
  },
);
