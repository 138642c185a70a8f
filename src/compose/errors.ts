import { TailmixError } from '../errors.ts';
import { type HookName, isAsync } from '../hooks.ts';
import type { ModelHead } from '../models/types.ts';
import type { Capability } from '../plugin.ts';
import type { PhaseInfo, RunInfo } from '../run.ts';
import { nearest } from '../util/names.ts';

export const headMismatch = (
  plugin: string,
  position: number,
  required: ModelHead['kind'],
  head: ModelHead['kind'],
): TailmixError =>
  new TailmixError(
    `plugins[${position}] (${plugin}) requires a ${required} classifier; the model has a ${head} one.\n  Set model.head: ${required}.`,
    { code: 'HEAD_MISMATCH', kind: 'config', plugin },
  );

export const capabilityTaken = (
  capability: Capability,
  first: string,
  i: number,
  second: string,
  j: number,
): TailmixError =>
  new TailmixError(
    `plugins[${i}] (${first}) and plugins[${j}] (${second}) both provide "${capability}", and a run has one.\n  Remove one of them.`,
    { code: 'CAPABILITY_TAKEN', kind: 'config', plugin: second },
  );

export const capabilityMissing = (
  capability: Capability,
  plugin: string,
  position: number,
  providers: readonly string[] = [],
): TailmixError =>
  new TailmixError(
    `plugins[${position}] (${plugin}) requires "${capability}", which no plugin provides.\n  ${
      providers.length > 0 ? `Add ${providers.join(' or ')}` : 'Add one that does: `tailmix plugins` lists them'
    }.`,
    { code: 'CAPABILITY_MISSING', kind: 'config', plugin },
  );

export const pluginTwice = (plugin: string, i: number, j: number): TailmixError =>
  new TailmixError(`plugins[${i}] and plugins[${j}] are both "${plugin}", and a run has one of each. Remove one.`, {
    code: 'PLUGIN_TWICE',
    kind: 'config',
    plugin,
  });

export const variantTwice = (variant: string, plugin: string): TailmixError =>
  new TailmixError(
    `[${plugin}] declares the variant "${variant}", which another plugin declared before. Name it otherwise.`,
    {
      code: 'VARIANT_TWICE',
      kind: 'config',
      plugin,
    },
  );

const inWords = (capabilities: readonly string[]): string =>
  capabilities.length === 0 ? 'nothing' : capabilities.map((capability) => `"${capability}"`).join(' and ');

export const notHeld = (
  holder: string,
  offered: readonly string[],
  name: string,
  provides: readonly string[],
  requires: readonly string[],
): TailmixError =>
  new TailmixError(
    `[${holder}] holds ${name}: expected a plugin that provides ${inWords(offered)} and requires nothing; ${name} provides ${inWords(
      provides,
    )} and requires ${inWords(requires)}.\n  Make it an entry of the run.`,
    { code: 'PLUGIN_NOT_HELD', kind: 'config', plugin: name },
  );

/** `holds` names an option that lists no plugins. */
export const holdsNothing = (holder: string, option: string, got: string): TailmixError =>
  new TailmixError(
    `[${holder}] holds: expected "${option}" to be an option that lists plugins, [{ plugin }, …]; it is ${got}. Declare it with pluginOption().`,
    { code: 'PLUGIN_NOT_HELD', plugin: holder, hook: 'holds' },
  );

export const heldTwice = (holder: string, name: string): TailmixError =>
  new TailmixError(`[${holder}] holds ${name}, and a run has one of each. Remove one.`, {
    code: 'PLUGIN_TWICE',
    kind: 'config',
    plugin: name,
  });

const CHANGES = {
  prepare: 'reads files or runs',
  extendModel: 'adds weights to it',
  trains: 'decides which weights are trained',
  initialWeights: 'computes the first values of weights',
  adapt: 'fits the prediction',
} as const;

/** A held plugin that would change the model, which only an entry of the run can. */
export const heldExtends = (holder: string, name: string, part: keyof typeof CHANGES): TailmixError =>
  new TailmixError(
    `[${holder}] holds ${name}: expected a plugin that leaves the model as it is and reads nothing; ${name} ${CHANGES[part]}.\n  Make it an entry of the run.`,
    { code: 'PLUGIN_NOT_HELD', kind: 'config', plugin: name },
  );

/** A tap that is not waited for returned a Promise. */
export const returnedPromise = (plugin: string, hook: HookName): TailmixError =>
  new TailmixError(
    `[${plugin}] ${hook} returned a Promise. ${
      isAsync(hook)
        ? 'Tap it with tapPromise, so that the run waits for it.'
        : 'This hook runs inside the step and must be synchronous: do the waiting in an on…Begin or on…End hook.'
    }`,
    { code: 'RETURNED_PROMISE', plugin, hook },
  );

export const returnedNothing = (plugin: string, hook: HookName): TailmixError =>
  new TailmixError(`[${plugin}] ${hook} returned undefined. Return the value that was handed in, changed or not.`, {
    code: 'RETURNED_NOTHING',
    plugin,
    hook,
  });

export const tapNamedOtherwise = (plugin: string, hook: HookName, name: string): TailmixError =>
  new TailmixError(
    `[${plugin}] ${hook}: a tap is named after its plugin, but this one is named "${name}". Tap with the name "${plugin}".`,
    { code: 'TAP_NAME', plugin, hook },
  );

/** A plugin that spans phases and does more than observe. */
export const spansNotObserving = (plugin: string, what: string): TailmixError =>
  new TailmixError(
    `[${plugin}] spans the phases of a run, and ${what}: expected taps of on… hooks alone.\n  Leave out \`spans\`, and each phase has its own.`,
    { code: 'SPANS_PHASES', kind: 'config', plugin },
  );

/** An epoch without a step: every batch is the last one, which is not full. */
export function noSteps(
  { trainCount, batchSize }: Pick<RunInfo, 'trainCount' | 'batchSize'>,
  phase: Pick<PhaseInfo, 'name' | 'number'> | null,
): TailmixError {
  const [where, of] = phase === null ? ['', ''] : [`phases[${phase.number - 1}].`, ` (phase ${phase.name})`];
  return new TailmixError(
    `${where}train.dropLast${of}: expected at least one full batch in an epoch; there are ${trainCount} training images, train.batchSize is ${batchSize}, and batches that are not full are left out: no step would run.\n  Lower train.batchSize, or set train.dropLast: false.`,
    { code: 'NO_STEPS', kind: 'config', path: `${where}train.dropLast` },
  );
}

/** A batch that replicas cannot share. */
export function unevenReplicas(
  { replicas = 1, batchSize }: Pick<RunInfo, 'replicas' | 'batchSize'>,
  last: number | null,
  phase: Pick<PhaseInfo, 'name' | 'number'> | null,
): TailmixError {
  const of = phase === null ? '' : ` (phase ${phase.name})`;
  const [expected, cure] =
    last === null
      ? [`a divisor of train.batchSize${of}, which is ${batchSize}`, 'Change one of the two.']
      : [
          `a divisor of the last batch of an epoch${of} too, which has ${last} images`,
          'Set train.dropLast: true, or change train.batchSize.',
        ];
  return new TailmixError(`train.replicas: expected ${expected}; got ${replicas}.\n  ${cure}`, {
    code: 'REPLICAS_UNEVEN',
    kind: 'config',
    path: 'train.replicas',
  });
}

/** A plugin that mixes features, where partners are images. */
export const pairsOfFeatures = (plugin: string, stage: string): TailmixError =>
  new TailmixError(
    `[${plugin}] train.pairs: expected mixing at the input where partners are of the whole batch (global), for a replica has no features of other replicas; got mixing at ${JSON.stringify(stage)}.\n  Use train.pairs: perReplica, or a plugin that mixes images.`,
    { code: 'PAIRS_FEATURES', kind: 'config', path: 'train.pairs', plugin },
  );

/** A plugin that changes pixels, in a run whose rows are features. */
export const pixelsNeeded = (plugin: string, position: number): TailmixError =>
  new TailmixError(
    `plugins[${position}] (${plugin}) works on pixels, and with data.features the rows are features.\n  Remove it, or data.features.`,
    { code: 'FEATURES_PIXELS', kind: 'config', plugin },
  );

/** A part of a definition that is called at once returned a Promise. */
export const declaredLater = (plugin: string, part: string): TailmixError =>
  new TailmixError(
    `[${plugin}] ${part}: expected its result at once, got a Promise. Make it synchronous, and do the waiting in onTrainBegin or before the plugin is made.`,
    { code: 'RETURNED_PROMISE', plugin, hook: part },
  );

/** A hook that does not exist. */
export const hookUnknown = (name: string, known: readonly string[]): TailmixError =>
  new TailmixError(`hooks.${name}: expected the name of a hook, ${nearest(name, known)}.`, { code: 'HOOK_UNKNOWN' });
