import { TailmixError } from '../errors.ts';
import type { Fault } from '../util/fault.ts';

/** Images that a model would shrink to nothing. */
export const imageTooSmall = (model: string, smallest: number, height: number, width: number): TailmixError =>
  new TailmixError(
    `model.name: ${model} expects images of at least ${smallest}×${smallest} pixels; got ${height}×${width}. Choose a smaller model, for example small-cnn or mlp.`,
    { code: 'MODEL_IMAGE_SIZE', kind: 'config', path: 'model.name' },
  );

/** Images that are no whole number of patches. */
export const patchesDoNotFit = (model: string, patch: number, height: number, width: number): TailmixError =>
  new TailmixError(
    `model.name: ${model} expects images whose sides are multiples of ${patch} pixels, its patches; got ${height}×${width}. Set data.imageSize, for example ${patch * Math.max(1, Math.round(height / patch))}.`,
    { code: 'MODEL_IMAGE_SIZE', kind: 'config', path: 'model.name' },
  );

/** A network of CLIP's form whose activation is not known: with the wrong one its features are worse, and nothing shows it. */
export const activationUnknown = (model: string): TailmixError =>
  new TailmixError(
    `model.activation: expected gelu or quick-gelu for ${model} with CLIP’s form; a file of weights does not show which. OpenAI’s own weights need quick-gelu, those of LAION and most others gelu.`,
    { code: 'MODEL_ACTIVATION', kind: 'config', path: 'model.activation' },
  );

/** A function of a user's model that throws. */
export const modelThrew = (model: string, call: string, reason: string, cause: unknown): TailmixError =>
  new TailmixError(
    `model "${model}": expected its ${call} to give a value; it threw "${reason}". Correct the module.`,
    {
      code: 'MODEL_MODULE',
      cause,
    },
  );

/** A function of a user's model that gives what no run can use. */
export const modelGave = (model: string, call: string, { part, expected, got }: Fault): TailmixError =>
  new TailmixError(
    `model "${model}": expected its ${call} to give ${part === undefined ? '' : `${part} as `}${expected}; got ${got}. Correct the module.`,
    { code: 'MODEL_MODULE' },
  );

/** `model.freeze`, `model.reset` or a group of `train.optimizer` with an entry that is the beginning of no weight's name. */
export const weightsUnknown = (option: string, entry: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `${option}: expected \`backbone\`, or how the names of weights begin; no name begins with "${entry}". Here: ${known.join(', ')}.`,
    { code: 'MODEL_WEIGHTS', kind: 'config', path: option },
  );

/** `model.freeze` that covers every weight. */
export const nothingTrained = (freeze: readonly string[]): TailmixError =>
  new TailmixError(
    `model.freeze: expected weights left to train; ${freeze.join(' and ')} are all there are. Freeze less, or use \`tailmix evaluate\`, which trains nothing.`,
    { code: 'MODEL_FROZEN', kind: 'config', path: 'model.freeze' },
  );

/** `model.reset` in a run that starts from drawn weights anyway. */
export const resetWithoutInit = (reset: readonly string[]): TailmixError =>
  new TailmixError(
    `model.reset: expected model.init or model.weights as well, or an earlier phase; without one ${reset.join(' and ')} is initialized anyway. Remove it.`,
    { code: 'RESET_WITHOUT_INIT', kind: 'config', path: 'model.reset' },
  );

/** A model whose classifier cannot be trained by itself. */
export const headUnknown = (model: string): TailmixError =>
  new TailmixError(
    `data.features: expected a model whose classifier is linear or cosine, with the weights classifier/kernel [features, classes] and maybe classifier/bias; that of "${model}" is another. Leave data.features out.`,
    { code: 'FEATURES_HEAD', kind: 'config', path: 'data.features' },
  );

/** `model.reset` of what features are computed with. */
export const backboneEntry = (entry: string): TailmixError =>
  new TailmixError(
    `model.reset: expected \`classifier\` with data.features, whose rows are computed by the backbone as it begins; got ${entry}. Remove it, or leave data.features out.`,
    { code: 'FEATURES_BACKBONE', kind: 'config', path: 'model.reset' },
  );

/** A weight that two models do not share; null where one has none of that name. */
export interface WeightDifference {
  name: string;
  expected: readonly number[] | null;
  got: readonly number[] | null;
}

const SHOWN = 3;

/** `model.init` of another model. */
export function initMismatch(source: string, model: string, differences: readonly WeightDifference[]): TailmixError {
  const shape = (of: readonly number[] | null): string => (of ? `shape [${of.join(', ')}]` : 'none');
  const shown = differences
    .slice(0, SHOWN)
    .map(({ name, expected, got }) => `  ${name}: expected ${shape(expected)}, got ${shape(got)}`);
  const more = differences.length - shown.length;
  return new TailmixError(
    `model.init: ${source}: expected the weights of ${model} as it is here.\n${shown.join('\n')}${
      more > 0 ? `\n  and ${more} more` : ''
    }\n  Set model and plugins as that run has them, or reinitialize what differs with model.reset.`,
    { code: 'INIT_MISMATCH', kind: 'config', path: 'model.init' },
  );
}

/** A checkpoint that is not the one a run began with. */
export const initChanged = (source: string, expected: string, got: string, option = 'model.init'): TailmixError =>
  new TailmixError(
    `${option}: ${source}: expected weights with SHA-256 ${expected.slice(0, 12)}…, got ${got.slice(0, 12)}…: they were changed. Restore the file, or remove ${option}.sha256.`,
    { code: 'INIT_CHANGED', kind: 'config', path: `${option}.sha256` },
  );

/** No run, or no checkpoint in it. */
export const initMissing = (detail: string, option = 'model.init'): TailmixError =>
  new TailmixError(`${option}: ${detail} A checkpoint file can be named as well.`, {
    code: 'INIT_MISSING',
    kind: 'config',
    path: option,
  });

/** A plugin that wraps a part which the model does not have. */
export const seamUnknown = (model: string, pattern: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `model ${model}: expected a seam "${pattern}", a part that plugins may wrap; ${
      known.length === 0 ? 'it has no seams' : `its seams are ${known.join(', ')}`
    }. Set the plugin's option that names them, or choose another model.`,
    { code: 'SEAM_UNKNOWN', kind: 'config', path: 'model.name' },
  );

/** A stage that a network does not have, or that a pass cannot begin behind. */
export const stageUnknown = (stage: string, stages: readonly string[]): TailmixError =>
  new TailmixError(
    `expected a stage of the model behind which a pass can begin, ${stages.join(', ')}; got ${JSON.stringify(stage)}.`,
    { code: 'STAGE_UNKNOWN' },
  );

/** A pass that began at its images although it was given features of a stage. */
export const fromUnused = (stage: string): TailmixError =>
  new TailmixError(
    `forwardFrom: expected a model that begins behind ${JSON.stringify(stage)} where pass.from says so; it began at its images. Run the parts of the model through throughStages(pass, images, parts).`,
    { code: 'PASS_FROM' },
  );

/** A weight of which the model does not say where it is used. */
export const weightWithoutStage = (model: string, weight: string): TailmixError =>
  new TailmixError(
    `expected weights that say in which stage they are used; ${JSON.stringify(weight)} of ${model} does not. Set its \`stage\` in the model, or in the plugin that added it.`,
    { code: 'STAGE_UNKNOWN' },
  );
