import { TailmixError } from '../../errors.ts';

const config = (code: string, path: string, message: string, cause?: unknown): TailmixError =>
  new TailmixError(`${path}: ${message}`, {
    code,
    kind: 'config',
    path,
    ...(cause === undefined ? {} : { cause }),
  });

/** `model.path` where nothing lies. */
export const backboneMissing = (path: string): TailmixError =>
  config('BACKBONE_MISSING', 'model.path', `expected a model.json of TensorFlow.js; there is no file ${path}.`);

/** A file that is no model of TensorFlow.js, or one of the other kind. */
export const backboneFormat = (path: string, expected: string, got: string | null): TailmixError =>
  config(
    'BACKBONE_FORMAT',
    'model.path',
    got === null
      ? `expected a model.json of TensorFlow.js, which ${path} is not. Keras and SavedModel files become one with tensorflowjs_converter.`
      : `expected a ${expected}; ${path} is a ${got}. ${
          got === 'layers-model' || got === 'graph-model' ? `Write \`name: ${got}\`.` : 'Convert it again.'
        }`,
  );

/** Weight files that are not there, or too short. */
export const backboneWeights = (path: string, expected: string, got: string): TailmixError =>
  config('BACKBONE_WEIGHTS', 'model.path', `${path}: expected ${expected}, got ${got}. Copy all files of the model.`);

/** Files that are not those a run began with. */
export const backboneChanged = (path: string, expected: string, got: string): TailmixError =>
  config(
    'BACKBONE_CHANGED',
    'model.path',
    `${path}: expected files with SHA-256 ${expected.slice(0, 12)}…, got ${got.slice(0, 12)}…: they were changed. Restore them, or remove model.sha256.`,
  );

/** A model that TensorFlow.js does not load. */
export const backboneUnreadable = (path: string, reason: string, cause: unknown): TailmixError =>
  config(
    'BACKBONE_UNREADABLE',
    'model.path',
    `${path}: expected a model that TensorFlow.js loads; it says: ${reason}`,
    cause,
  );

/** Layers of a class of the user's own. */
export const layerUnknown = (path: string, layer: string): TailmixError =>
  config(
    'BACKBONE_LAYER_UNKNOWN',
    'model.path',
    `${path}: has layers of class ${layer}, which TensorFlow.js does not know. Register it (tf.serialization.registerClass) in a model module or a plugin file of your own.`,
  );

/** More than one input, or one that is no batch of images. */
export const backboneInput = (model: string, expected: string, got: string): TailmixError =>
  config(
    'BACKBONE_INPUT',
    'model',
    `${model} expects ${got}; the run's images are ${expected}. Choose data, or a size (data.imageSize), that fits.`,
  );

/** `model.features` that names nothing. */
export const featuresUnknown = (wanted: string, known: readonly string[]): TailmixError =>
  config(
    'BACKBONE_FEATURES',
    'model.features',
    `expected one of the model's ${known.length} outputs or layers, got "${wanted}". The last ones: ${known.slice(-8).join(', ')}.`,
  );

/** No `model.features` where the model's own output is no feature vector. */
export const featuresNeeded = (reason: string, known: readonly string[]): TailmixError =>
  config(
    'BACKBONE_FEATURES_NEEDED',
    'model.features',
    `is required: ${reason}. Name what the new head is to start from; the last ones: ${known.slice(-8).join(', ')}.`,
  );

/** Features that are neither a vector nor a map. */
export const featuresShape = (name: string, shape: readonly (number | null)[]): TailmixError =>
  config(
    'BACKBONE_FEATURES_SHAPE',
    'model.features',
    `expected [batch, size] or [batch, height, width, size], got ${name} of shape [${shape.map((n) => n ?? 'any').join(', ')}]. Name another one.`,
  );

/** A layer that cannot be a step's. */
export const layerRefused = (layer: string, type: string, what: string, remedy: string): TailmixError =>
  config('BACKBONE_LAYER', 'model', `layer ${layer} (${type}) ${what}. ${remedy}`);

/** `model.stages` with a layer that features flow past. */
export const stageRefused = (layer: string, what: string): TailmixError =>
  config('BACKBONE_STAGE', 'model.stages', `expected layers that all features go through once; ${layer} ${what}.`);

/** A graph that needs the values of tensors to know what to run. */
export const graphDynamic = (model: string, reason: string): TailmixError =>
  config(
    'BACKBONE_GRAPH',
    'model.path',
    `${model}: expected a graph without control flow; TensorFlow.js says: ${reason} Convert a frozen graph of the network alone.`,
  );
