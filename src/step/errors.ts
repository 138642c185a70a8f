import { messageOf, systemCure, TailmixError, toError } from '../errors.ts';
import { CaptureError } from '../graph/errors.ts';
import type { Fault } from '../util/fault.ts';
import { nearest } from '../util/names.ts';
import type { Miss } from './misses.ts';
import type { Origin } from './owner.ts';

const at = ({ plugin, hook, part }: Origin): string => `[${plugin}] ${hook}${part === undefined ? '' : `, ${part}`}`;

/** Fails because something is not there; TensorFlow.js says it in its own words. */
const ofNothing = /undefined|must be a tensor/i;

/** What cannot be captured learns which hook built it. */
const captureFailed = (origin: Origin, cause: CaptureError): CaptureError =>
  new CaptureError(`${at(origin)}: ${cause.message.replace(`[${origin.plugin}] `, '')}`, {
    code: cause.code,
    op: cause.op,
    plugin: origin.plugin,
    hook: origin.hook,
    cause,
  });

/**
 * A plugin threw. A TailmixError keeps its words and its code, and learns where it was thrown; the innermost plugin is
 * named.
 *
 * @param miss - a name that was read in vain before
 */
export function pluginFailed(origin: Origin, thrown: unknown, miss?: Miss): TailmixError {
  const cause = toError(thrown);
  if (cause instanceof TailmixError && cause.hook) return cause;
  if (cause instanceof CaptureError) return captureFailed(origin, cause);
  if (cause instanceof TailmixError && cause.plugin) return cause;
  const message = messageOf(cause);
  const hint =
    miss !== undefined && ofNothing.test(message)
      ? `\n  It read the ${miss.kind} ${JSON.stringify(miss.name)}, which does not exist: ${nearest(miss.name, miss.known)}.`
      : '';
  const cure = systemCure(cause);
  return new TailmixError(`${at(origin)}: ${message}${cure === null ? '' : `. ${cure}`}${hint}`, {
    code: cause instanceof TailmixError ? cause.code : 'PLUGIN_FAILED',
    kind: cause instanceof TailmixError ? cause.kind : 'run',
    plugin: origin.plugin,
    hook: origin.hook,
    cause,
  });
}

/** A plugin returned what no run can use. */
export const returnedWrong = (origin: Origin, { part = '', expected, got, cure }: Fault): TailmixError =>
  new TailmixError(
    `${at(origin)}: ${part === '' ? '' : `${part}: `}expected ${expected}; got ${got}.${cure === undefined ? '' : ` ${cure}`}`,
    { code: 'RETURNED_WRONG', plugin: origin.plugin, hook: origin.hook },
  );

/** A name was read that no step has. */
export const inputUnknown = (name: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `pass.inputs[${JSON.stringify(name)}]: expected an input of the step or one that a plugin declares, ${nearest(name, known)}.`,
    { code: 'STEP_INPUT' },
  );

/** Rows that are neither the batch nor its pool: core would drop some of them. */
export const rowsDiffer = (stage: string, expected: string, got: number): TailmixError =>
  new TailmixError(
    `pass.atStage(${JSON.stringify(stage)}): expected features of ${expected}; got ${got} rows. Core mixes and cuts the rows of the batch alone: for others, pass { ...pass, atStage: (_, features) => features }.`,
    { code: 'STEP_ROWS' },
  );

/** A group that forwardRows was asked for, and that the run does not have. */
export const groupUnknown = (name: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `forwardRows: expected groups of rows as <plugin>/<group>; got ${JSON.stringify(name)}, ${nearest(name, known)}. Declare it with \`rows\`.`,
    { code: 'STEP_ROWS' },
  );

/** A forward pass whose rows are not those that forwardRows handed in. */
export const rowsNotSplit = (expected: number, got: number): TailmixError =>
  new TailmixError(
    `forwardRows: expected logits of ${expected} rows, those of the batch and of the groups; got ${got}. The model, or a plugin that wraps it, passes other rows on.`,
    { code: 'STEP_ROWS' },
  );

/** State that each replica would carry on otherwise. */
export const stateOfReplicas = (name: string, replicas: number): TailmixError =>
  returnedWrong(
    { plugin: name.split('/')[0]!, hook: 'buildModel' },
    {
      part: `statistics[${JSON.stringify(name)}]`,
      expected: `state that the forward pass leaves alone: each of ${replicas} replicas would have a next value of its own`,
      got: 'a next value of it',
      cure: 'Carry it on in buildUpdate or by run.write, or train without train.replicas.',
    },
  );

/** A group of rows that is loaded, and that the step leaves out. */
export const groupUnread = (name: string): TailmixError => {
  const [plugin = '', group = ''] = name.split('/');
  return returnedWrong(
    { plugin, hook: 'rows' },
    {
      part: group,
      expected: 'rows that the step reads',
      got: 'a group that no build… function looks up in pass.groups, in a run that mixes nothing',
      cure: 'Run the model on it with forwardRows, or mix with its rows (batch.pair).',
    },
  );
};

/** A variant that is mixed by masks, and nobody who makes them. */
export const masksMissing = (): TailmixError =>
  new TailmixError(
    "step: expected masks for the variant mix: 'input:mask'; no plugin makes any. Who declares the variant taps hooks.buildMask.",
    { code: 'STEP_MASK' },
  );

/** A prediction that is made of something else than one pass of the model. */
export const extrasChanged = (origin: Origin | null): TailmixError =>
  new TailmixError(
    `${origin === null ? 'step' : at(origin)}: expected a prediction that is the model's logits, to be made of its other outputs in their place; got another. Leave out what changes predictions (views, temperatures, priors).`,
    { code: 'STEP_EXTRAS', kind: 'config', ...(origin !== null && { plugin: origin.plugin, hook: origin.hook }) },
  );

/** An output that the model does not give, or not for each image. */
export const extrasLacking = (name: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `adapt: expected outputs of the model with a row for each image; got ${JSON.stringify(name)}, ${nearest(name, known)}.`,
    {
      code: 'STEP_EXTRAS',
    },
  );

/** An op in the loss that TensorFlow.js cannot differentiate. */
export const gradientMissing = (origin: Origin | null, op: string, cause: unknown): TailmixError =>
  new TailmixError(
    `${origin === null ? 'step' : at(origin)}: expected ops in the loss that have a gradient; ${op} has none. Keep it out of the loss, or pass what it gives through stopGradient.`,
    { code: 'GRADIENT_MISSING', ...(origin !== null && { plugin: origin.plugin, hook: origin.hook }), cause },
  );

/** The loss depends on no weight that is trained. */
export const lossDetached = (origin: Origin | null): TailmixError =>
  new TailmixError(
    `${origin === null ? 'step' : at(origin)}: expected a loss that depends on a weight that is trained; it depends on none, and nothing would be learnt. Compute it from the model's logits or features with ops that have a gradient.`,
    { code: 'LOSS_DETACHED', ...(origin !== null && { plugin: origin.plugin, hook: origin.hook }) },
  );

/** An op that TensorFlow.js does not have on the backend in use, most often the gradient of one on WebAssembly. */
export const kernelMissing = (
  kernel: string,
  backend: string,
  plugin: string | undefined,
  cause: unknown,
): TailmixError =>
  new TailmixError(
    `${plugin === undefined ? '' : `[${plugin}] `}step: expected ops that the backend ${backend} has; it lacks ${kernel}. Use the native backend (\`tailmix setup\`); where it is a gradient, freezing what is below it helps as well.`,
    { code: 'STEP_KERNEL', ...(plugin !== undefined && { plugin }), cause },
  );

/** Codes of what is wrong with a function of a plugin in any mode. */
const FAULTS = new Set(['RETURNED_WRONG', 'STEP_INPUT', 'STEP_ROWS', 'GRADIENT_MISSING', 'LOSS_DETACHED']);

/** Whether another mode would refuse it too. */
export const isFault = (error: unknown): boolean =>
  error instanceof TailmixError && error.plugin !== undefined && FAULTS.has(error.code);

export const unknownState = (name: string): TailmixError =>
  new TailmixError(`step: there is no state named "${name}".`, { code: 'STEP_STATE' });

/** A group of `train.optimizer` that no trained weight is in. */
export const groupEmpty = (index: number, match: string, named: number): TailmixError =>
  new TailmixError(
    `train.optimizer.groups[${index}]: expected trained weights that are in no group before it; "${match}" names ${named === 1 ? 'one array, which is' : `${named} arrays, which are`} frozen or in one. Put it before that group, freeze less, or remove it.`,
    { code: 'OPTIMIZER_GROUP', kind: 'config', path: `train.optimizer.groups[${index}]` },
  );

/** `train.optimizer.layerDecay` for a model that has no layers to tell apart. */
export const noLayers = (model: string): TailmixError =>
  new TailmixError(
    `train.optimizer.layerDecay: expected a model whose weights have names of stages or blocks, as stage1/block2/conv1/kernel; ${model} has none. Use train.optimizer.groups.`,
    { code: 'OPTIMIZER_GROUP', kind: 'config', path: 'train.optimizer.layerDecay' },
  );

/** Replicas of an eager step are computed one after the other: none knows what the others' images are. */
export const syncedEager = (step: string, backend: string): TailmixError =>
  new TailmixError(
    `train.batchNorm: expected perReplica where a step is not captured; got synced, with train.step: ${step} on the ${backend} backend. Use the native backend with train.step: captured or auto.`,
    { code: 'BATCH_NORM_SYNCED', kind: 'config', path: 'train.batchNorm' },
  );
