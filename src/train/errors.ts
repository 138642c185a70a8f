import { TailmixError } from '../errors.ts';
import type { StepContext } from '../step/types.ts';
import { version } from '../version.ts';

/**
 * The loss became NaN or infinite: when, at which rate, and which weight is the largest by then; in the first step,
 * which plugins build the loss.
 */
export function lossNotFinite(
  loss: number,
  { epoch, step }: Pick<StepContext, 'epoch' | 'step'>,
  learningRate: number,
  state: Readonly<Record<string, Float32Array>>,
  builders: readonly string[],
): TailmixError {
  let largest = { name: '', size: -1 };
  for (const [name, values] of Object.entries(state)) {
    const size = values.reduce((max, value) => (Number.isNaN(value) ? Infinity : Math.max(max, Math.abs(value))), 0);
    if (size > largest.size) largest = { name, size };
  }
  if (step === 1 && builders.length > 0) {
    return new TailmixError(
      `${namesOf(builders)} buildLoss: expected a finite loss, got ${loss} in step 1, before any weight has changed. Keep logarithms, roots and quotients away from 0.`,
      { code: 'LOSS_NOT_FINITE', plugin: builders.at(-1)!, hook: 'buildLoss' },
    );
  }
  return new TailmixError(
    `step ${step} (epoch ${epoch}): expected a finite loss, got ${loss}. The learning rate is ${learningRate}; the largest value is in ${largest.name} (${largest.size.toPrecision(3)}).${builders.length > 0 ? ` The loss is built by ${namesOf(builders)}.` : ''}\n  Lower train.optimizer.learningRate, warm it up with lr-schedule, or clip gradients.`,
    { code: 'LOSS_NOT_FINITE' },
  );
}

/**
 * The loss is finite and a gradient is not: when, at which rate, the first such weight, and the plugins that may be at
 * fault.
 *
 * @param sum - of the gradient's elements
 * @param builders - plugins that build loss or gradients
 */
export const gradientNotFinite = (
  weight: string,
  sum: number,
  { epoch, step }: Pick<StepContext, 'epoch' | 'step'>,
  learningRate: number,
  builders: readonly string[],
): TailmixError =>
  new TailmixError(
    `step ${step} (epoch ${epoch}): expected finite gradients, got ${Number.isNaN(sum) ? 'NaN' : 'infinity'} in that of ${weight}, while the loss is finite. The learning rate is ${learningRate}.\n` +
      (builders.length > 0
        ? `  ${namesOf(builders)} ${builders.length === 1 ? 'takes' : 'take'} part in loss and gradients: keep roots, logarithms and quotients away from 0, where their derivative is not finite. Else lower train.optimizer.learningRate, or clip gradients.`
        : '  Lower train.optimizer.learningRate, warm it up with lr-schedule, or clip gradients.'),
    { code: 'GRADIENT_NOT_FINITE', ...(builders.length === 1 && { plugin: builders[0]! }) },
  );

/** Five crops of images that leave nothing to choose from. */
export const cropsOfNothing = ([height, width]: readonly number[]): TailmixError =>
  new TailmixError(
    `evaluate.crops: expected images that are packed larger than the model takes them, got ${height} x ${width}: five crops are one. Raise data.packSize (or lower data.cropFraction), or leave evaluate.crops out.`,
    { code: 'CROPS_ALIKE', kind: 'config', path: 'evaluate.crops' },
  );

/** A run that goes back (`train.onNaN`) has trained an epoch whose state is no use. */
export const stateDiverged = (epoch: number, name: string, values: Float32Array): TailmixError =>
  new TailmixError(
    `epoch ${epoch}: expected finite weights and optimizer state, got ${values.find((value) => !Number.isFinite(value))} in ${name}.\n  Lower train.optimizer.learningRate, warm it up with lr-schedule, or clip gradients.`,
    { code: 'STATE_NOT_FINITE' },
  );

/** A run has gone back as often as it may, and diverged again. */
export const rolledBackTooOften = (error: TailmixError, times: number, factor: number): TailmixError =>
  new TailmixError(
    `${error.message}\n  The run went back ${times} ${times === 1 ? 'time' : 'times'} before (train.onNaN); learning rates are multiplied by ${factor} by now.`,
    {
      code: error.code,
      cause: error,
      ...(error.plugin && { plugin: error.plugin }),
      ...(error.hook && { hook: error.hook }),
    },
  );

/** Asked to end before there was a step. */
export const interruptedInReading = (reason: unknown): TailmixError =>
  new TailmixError(`${reason}: the run ended while its images were read, before its first step.`, {
    code: 'INTERRUPTED',
  });

/** What a plugin adds to the loss became NaN or infinite. */
export const penaltyNotFinite = (
  plugin: string,
  penalty: number,
  { epoch, step }: Pick<StepContext, 'epoch' | 'step'>,
): TailmixError =>
  new TailmixError(
    `[${plugin}] buildLoss, penalties.${plugin}: expected a finite number, got ${penalty} in step ${step} (epoch ${epoch}). Keep logarithms, roots and quotients away from 0.`,
    { code: 'PENALTY_NOT_FINITE', plugin, hook: 'buildLoss' },
  );

/** What a plugin logs became NaN or infinite. */
export const figureNotFinite = (
  name: string,
  figure: number,
  { epoch, step }: Pick<StepContext, 'epoch' | 'step'>,
): TailmixError => {
  const plugin = name.split('/')[0]!;
  return new TailmixError(
    `[${plugin}] buildLoss, figures.${name}: expected a finite number, got ${figure} in step ${step} (epoch ${epoch}). Keep logarithms, roots and quotients away from 0.`,
    { code: 'FIGURE_NOT_FINITE', plugin, hook: 'buildLoss' },
  );
};

/**
 * A batch whose weights are all zero: its weighted mean is 0 / 0.
 *
 * @param plugins - those that give class weights
 */
export const batchWithoutWeight = (
  { epoch, step }: Pick<StepContext, 'epoch' | 'step'>,
  plugins: readonly string[],
): TailmixError =>
  new TailmixError(
    `${namesOf(plugins)} computeClassWeights: expected a weight above 0 for some image of the batch; all are 0 in step ${step} (epoch ${epoch}), and their mean is 0/0. Raise the class weights or the batch size, or set train.reduction: mean.`,
    { code: 'CLASS_WEIGHTS', plugin: plugins.at(-1)!, hook: 'computeClassWeights' },
  );

const namesOf = (plugins: readonly string[]): string => plugins.map((plugin) => `[${plugin}]`).join(', ');

/** A network whose features are no numbers. */
export const featuresNotFinite = (image: string, model: string, got: number): TailmixError =>
  new TailmixError(
    `data.features: expected finite features of ${image}, got ${got} from ${model}. Check its weights, and data.mean and data.std.`,
    { code: 'FEATURES_NOT_FINITE' },
  );

/** Transforms of images that a run on features never sees. */
export const featuresAugment = (names: readonly string[]): TailmixError =>
  new TailmixError(
    `data.augment: expected none with data.features, whose rows are computed once from whole images; got ${names.join(', ')}. Remove data.augment, or data.features.`,
    { code: 'FEATURES_AUGMENT', kind: 'config', path: 'data.augment' },
  );

/** Batch norms of a backbone that computes features once. */
export const featuresNorm = (): TailmixError =>
  new TailmixError(
    'model.frozenNorm: expected `running` with data.features, whose rows are computed one by one; got `batch`. Remove it, or data.features.',
    { code: 'FEATURES_NORM', kind: 'config', path: 'model.frozenNorm' },
  );

/** A snapshot of another model or optimizer, or of a version of tailmix that has other ones. */
export const snapshotMismatch = (
  name: string,
  expected: readonly number[] | undefined,
  got: readonly number[] | undefined,
  writer = version,
): TailmixError =>
  new TailmixError(
    `resume: ${name}: expected ${expected ? `shape [${expected.join(', ')}]` : 'no such state'}, got ${got ? `shape [${got.join(', ')}]` : 'nothing'}.\n${
      writer === version
        ? '  The checkpoint is of another model, optimizer or plugin list: resume with the config that the run began with.'
        : `  tailmix ${writer} wrote the checkpoint, and this is tailmix ${version}: use it with that version (npx tailmix@${writer} …), or train again (docs/upgrading.md).`
    }`,
    { code: 'SNAPSHOT_MISMATCH', kind: 'config' },
  );

/** Two phases of one name. */
export const phaseTwice = (name: string, i: number, j: number): TailmixError =>
  new TailmixError(
    `phases[${i}] and phases[${j}] are both named "${name}", and metrics tell phases by their names. Rename one.`,
    { code: 'PHASE_TWICE', kind: 'config', path: `phases[${j}].name` },
  );

/** A plugin in a phase that is there once for all phases. */
export const spansInPhase = (plugin: string, phase: number): TailmixError =>
  new TailmixError(
    `phases[${phase}].plugins: expected plugins of the phase; ${plugin} spans all phases of a run.\n  Make it an entry of \`plugins\` of the run.`,
    { code: 'SPANS_PHASES', kind: 'config', plugin },
  );

/** A value that `run.write` was given and that cannot be written. */
export const stateWrite = (what: string): TailmixError =>
  new TailmixError(`run.write: ${what}.`, { code: 'STATE_WRITE' });

/** Recordings of another run than the one that is to use them. */
export const recordingsOther = (name: string, recorded: string, now: string): TailmixError =>
  new TailmixError(
    `--recording: expected recordings of this run, got those of another: ${name} was ${recorded.slice(0, 64)}, and is ${now.slice(0, 64)} now. Record this run: \`tailmix record CONFIG --out FILE\`.`,
    { code: 'RECORDING_OTHER', kind: 'config' },
  );
