import { createHooks, type HookName, type Hooks } from '../hooks.ts';
import {
  type Capability,
  type Correction,
  type HeldPlugin,
  heldBy,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
} from '../plugin.ts';
import { randomStream } from '../random.ts';
import type { RunInfo } from '../run.ts';
import { MIX } from '../step/batch.ts';
import { isByPixel } from '../step/inputs.ts';
import type { InputSpec } from '../step/types.ts';
import { onlyKnown } from '../util/names.ts';
import { bareCosines, conflicting } from './advice.ts';
import { checkDefinition, declaredCorrection, declaredInputs, declaredState, declaredVariants } from './declared.ts';
import {
  capabilityMissing,
  capabilityTaken,
  headMismatch,
  hookUnknown,
  pixelsNeeded,
  pluginTwice,
  variantTwice,
} from './errors.ts';
import { guardHooks } from './guard.ts';
import { checkHeld } from './held.ts';
import { declaredRows, rowWarnings } from './rows.ts';
import { adoptTaps, type Spanning } from './span.ts';
import type { Composition, Warning } from './types.ts';

/**
 * Applies plugins to a fresh set of hooks. Taps are ordered by rank (`Order`), then by position in `plugins`.
 *
 * @param known - definitions to name in messages, for example those that provide what is missing.
 * @param spanning - plugins that span all phases of the run; in the composition of one phase they observe it too.
 * @throws {TailmixError} CAPABILITY_TAKEN, CAPABILITY_MISSING, PLUGIN_TWICE, HEAD_MISMATCH, VARIANT_TWICE,
 *   PLUGIN_NOT_HELD, PLUGIN_FAILED, RETURNED_WRONG, RETURNED_PROMISE.
 */
export function compose(
  plugins: readonly Plugin[],
  info: RunInfo,
  known: readonly PluginDefinition[] = [],
  spanning: Spanning | null = null,
): Composition {
  for (const plugin of plugins) checkDefinition(plugin);
  const provides = checkCapabilities(plugins, known);
  checkHead(plugins, info);
  checkHeld(plugins);
  let applying = '';
  const hooks = createHooks();
  const [inputs, variants] = [{}, {}] as [Composition['inputs'], Composition['variants']];
  const guarded = { info, inputs, variants };
  const timings = guardHooks(hooks, () => applying, guarded);
  // A phase's epochs count from 1 again, and its draws must not repeat those of the first. The key's word fixes the draws.
  const later = info.phase && info.phase.number > 1 ? ['stage', info.phase.number] : [];
  const warnings: Warning[] = [
    ...unknownHead(plugins, info),
    ...bareCosines(plugins, info, provides),
    ...correctedTwice(plugins),
    ...conflicting(plugins, provides),
  ];
  const composition: Composition = {
    hooks,
    plugins,
    provides,
    inputs,
    variants,
    groups: {},
    states: {},
    timings,
    warnings,
  };
  const apply = (plugin: Plugin, own: Hooks): HeldPlugin => {
    const { definition, options } = plugin;
    const { name } = definition;
    const held = heldBy(plugin).map(({ plugin: child }) => {
      checkDefinition(child);
      const inside = createHooks();
      guardHooks(inside, () => child.definition.name, guarded, timings);
      return apply(child, inside);
    });
    const declared = Object.entries(declaredInputs(plugin, info));
    const inputs: Record<string, InputSpec> = Object.assign(
      Object.fromEntries(declared.map(([input, spec]) => [`${name}/${input}`, spec])),
      ...held.map((child) => child.inputs),
    );
    const variants = unite([declaredVariants(plugin, info), ...held.map((child) => child.variants)]);
    Object.assign(composition.groups, declaredRows(plugin, info));
    applying = name;
    const context: PluginContext = {
      hooks: onlyKnown(own, (hook) => hookUnknown(hook, Object.keys(own))),
      info,
      prepared: plugin.prepared?.value,
      random: (...key) => randomStream(info.seed, name, ...later, ...key),
      warn: (code, message) => warnings.push({ code, plugin: name, message }),
      held,
    };
    const state = declaredState(name, () => definition.apply(context, options));
    if (state) composition.states[name] = state;
    return { name, hooks: own, inputs, variants };
  };
  for (const [position, plugin] of plugins.entries()) {
    const { name, inputs, variants } = apply(plugin, hooks);
    if (info.features && variants[MIX]?.some(isByPixel)) throw pixelsNeeded(name, position);
    Object.assign(composition.inputs, inputs);
    for (const [variant, values] of Object.entries(variants)) {
      if (composition.variants[variant]) throw variantTwice(variant, name);
      composition.variants[variant] = values;
    }
  }
  warnings.push(...rowWarnings(composition, info));
  if (spanning !== null) {
    adoptTaps(hooks, spanning, (plugin) => {
      applying = plugin;
    });
  }
  return composition;
}

/** Every value of every variant, in order and once. */
function unite(declared: readonly Readonly<Record<string, readonly string[]>>[]): Record<string, readonly string[]> {
  const all: Record<string, readonly string[]> = {};
  for (const variants of declared) {
    for (const [name, values] of Object.entries(variants)) all[name] = [...new Set([...(all[name] ?? []), ...values])];
  }
  return all;
}

/** Taps of each hook that has any, in the order in which they will run. */
export function tapsOf(hooks: Hooks): [hook: HookName, taps: { name: string; stage: number }[]][] {
  return (Object.keys(hooks) as HookName[])
    .map((hook): [HookName, { name: string; stage: number }[]] => [
      hook,
      hooks[hook].taps.map(({ name, stage = 0 }) => ({ name, stage })),
    ])
    .filter(([, taps]) => taps.length > 0);
}

function checkCapabilities(
  plugins: readonly Plugin[],
  known: readonly PluginDefinition[],
): Partial<Record<Capability, string>> {
  const provides: Partial<Record<Capability, string>> = {};
  const positions = new Map<string, number>();
  plugins.forEach(({ definition: { name, provides: capabilities = [] } }, position) => {
    const before = positions.get(name);
    if (before !== undefined) throw pluginTwice(name, before, position);
    positions.set(name, position);
    for (const capability of capabilities) {
      const taken = provides[capability];
      if (taken) throw capabilityTaken(capability, taken, positions.get(taken)!, name, position);
      provides[capability] = name;
    }
  });
  plugins.forEach(({ definition: { name, requires = [] } }, position) => {
    for (const capability of requires)
      if (!provides[capability]) throw capabilityMissing(capability, name, position, providersOf(capability, known));
  });
  return provides;
}

function checkHead(plugins: readonly Plugin[], { head }: RunInfo): void {
  plugins.forEach(({ definition: { name, head: required } }, position) => {
    if (required && head && head.kind !== required) throw headMismatch(name, position, required, head.kind);
  });
}

const unknownHead = (plugins: readonly Plugin[], { head }: RunInfo): Warning[] =>
  plugins.flatMap(({ definition: { name, head: required } }) =>
    required && !head
      ? [
          {
            code: 'NOT_INTENDED',
            plugin: name,
            message: `expects a ${required} classifier, and the model does not say what it has (Model.head).`,
          },
        ]
      : [],
  );

/** A warning for each plugin that corrects what one before it corrects already. */
function correctedTwice(plugins: readonly Plugin[]): Warning[] {
  const first = new Map<Correction, string>();
  return plugins.flatMap((plugin): Warning[] => {
    const { definition } = plugin;
    const correction = declaredCorrection(plugin);
    if (correction === null) return [];
    const before = first.get(correction);
    if (before === undefined) {
      first.set(correction, definition.name);
      return [];
    }
    const message = `corrects the ${correction}, as ${before} does already: rare classes are favoured twice. Keep one.`;
    return [{ code: 'NOT_INTENDED', plugin: definition.name, message }];
  });
}

const providersOf = (capability: Capability, known: readonly PluginDefinition[]): string[] =>
  known.filter(({ provides }) => provides?.includes(capability)).map(({ name }) => name);
